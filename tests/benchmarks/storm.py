"""Two bad moments: everybody comes back at once, and one client of many does not read.

Both are measured by how late events are for those who do nothing wrong, from the moment of their publication.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from realtime.log.contract import Record
from realtime.log.redis import RedisLog
from realtime.redis import command_client
from tests.benchmarks.fanout import following
from tests.benchmarks.load import Plan
from tests.benchmarks.machine import SERVER_CORE
from tests.benchmarks.processes import RETURNING, Process, clients, module, running
from tests.benchmarks.tertulia import Engines, Tertulia, tertulia

_INTERVAL = 0.05
_CALM_SECONDS = 3.0
_SLOW_BYTES, _SLOW_SECONDS = 1024, 1.0
_MISSED, _SETTLE_SECONDS = 800, 2.0
_FILLING = "x" * 400


@dataclass(frozen=True)
class Storm:
    """What was measured."""

    who: str
    clients: int
    recovered: int
    half: float
    all: float
    """Seconds until half of them, and all, were back and had all that they had missed."""
    shares: tuple[float, float]
    """Of a core each, until all were back: the server's CPU, and that of the clients, which are one process."""
    calm: float | None
    stormy: float | None
    """99th percentile of how late events were for those that stayed, before and meanwhile, in milliseconds."""


@dataclass(frozen=True)
class Slow:
    """What was measured."""

    others: int
    events: int
    without: tuple[float, float]
    beside: tuple[float, float]
    """Median and 99th percentile of how late events were for the others, in milliseconds: of all pairs, those in the
    middle."""
    moved: tuple[float, float, float]
    """By how much of itself the 99th percentile was greater beside it: least, in the middle, and most of the pairs."""
    alike: float
    """The same between one time without it and the next, in the middle: what chance does."""
    grown: int
    """Bytes of the web process."""


def _body() -> bytes:
    """An event that says when it was published."""
    return f'{{"type":"reply.stage","at":{time.monotonic():.6f},"text":"{_FILLING}"}}'.encode()


@asynccontextmanager
async def _publishing(log: RedisLog, topics: list[str]) -> AsyncGenerator[None]:
    """An event in each topic every 50 ms, each with its moment."""

    async def publish() -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await log.append_many([(topic, [Record(_body())]) for topic in topics])
            due += _INTERVAL
            await asyncio.sleep(max(0.0, due - loop.time()))

    publishing = asyncio.create_task(publish())
    try:
        yield
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)


async def storms(engines: Engines, number: int) -> AsyncGenerator[Storm]:
    """A bare server that greets nobody and resumes nothing, and ours."""
    arguments = module("tests.benchmarks.servers.broadcast")
    async with running(arguments, core=SERVER_CORE, folder=engines.folder) as server:
        plan = Plan(port=(await server.hear())["port"], greetings=[[]] * number)
        async with clients(RETURNING, plan, engines.folder) as load:
            found, shares = await _storm(server, load, 0)
            times = (found["half"], found["all"])
            yield Storm("websockets, connecting alone", number, 0, *times, shares, None, None)
    assert engines.urls.redis
    async with tertulia(engines) as ours, command_client(engines.urls.redis) as client:
        yield await _our_storm(engines, ours, RedisLog(client), number)


async def _our_storm(engines: Engines, ours: Tertulia, log: RedisLog, number: int) -> Storm:
    topics = await ours.conversations(20)
    kept = len(topics)
    plan = following(ours, [topics[n % len(topics)] for n in range(number + kept)])
    async with clients(RETURNING, plan, engines.folder) as load, _publishing(log, topics):
        await load.tell("late")
        await load.hear()
        await asyncio.sleep(_CALM_SECONDS)
        await load.tell("late")
        calm = (await load.hear())["p99"]
        found, shares = await _storm(ours.web, load, kept)
    times = (found["half"], found["all"])
    return Storm("Tertulia", number, found["recovered"], *times, shares, calm, found["p99"])


async def _storm(server: Process, load: Process, kept: int) -> tuple[dict[str, Any], tuple[float, float]]:
    """What the clients say of it, and what it took of the two processes' cores."""
    before, began = (server.cpu, load.cpu), time.monotonic()
    await load.tell(f"storm {kept}")
    found = await load.hear(90)
    took = time.monotonic() - began
    return found, ((server.cpu - before[0]) / took, (load.cpu - before[1]) / took)


async def slow(engines: Engines, others: int, seconds: float, pairs: int) -> Slow:
    """Events to many, with and without one more that reads 1 KB a second, by turns."""
    assert engines.urls.redis
    async with tertulia(engines) as ours, command_client(engines.urls.redis) as client:
        [topic] = await ours.conversations(1)
        log = RedisLog(client)
        # So much that one who has missed all of it, and reads 1 KB a second, is slow from its first moment on.
        await log.append(topic, [Record(_body())] * _MISSED)
        [beginning] = await log.offsets([topic])
        assert beginning
        plan = following(ours, [topic] * others)
        async with clients(RETURNING, plan, engines.folder) as load, _publishing(log, [topic]):

            async def late() -> tuple[float, float]:
                await load.tell("late")
                await load.hear()
                await asyncio.sleep(seconds)
                await load.tell("late")
                found = await load.hear()
                counted.append(found["events"])
                return found["median"], found["p99"]

            counted: list[int] = []
            await late()
            before = ours.web.resident
            without = [await late()]
            beside: list[tuple[float, float]] = []
            for _ in range(pairs):
                dawdling = asyncio.create_task(_dawdle(ours, topic, beginning.epoch))
                await asyncio.sleep(_SETTLE_SECONDS)
                beside.append(await late())
                dawdling.cancel()
                await asyncio.gather(dawdling, return_exceptions=True)
                without.append(await late())
            grown = ours.web.resident - before
    # Each beside the mean of the one before it and the one after it: what drifts falls out.
    calm = [(one[1] + next_one[1]) / 2 for one, next_one in pairwise(without)]
    moved = sorted(one[1] / around - 1 for one, around in zip(beside, calm, strict=True))
    return Slow(
        others,
        sum(counted[1:]),
        _middle(without),
        _middle(beside),
        (moved[0], median(moved), moved[-1]),
        median(abs(next_one[1] / one[1] - 1) for one, next_one in pairwise(without)),
        grown,
    )


def _middle(times: list[tuple[float, float]]) -> tuple[float, float]:
    return median(one[0] for one in times), median(one[1] for one in times)


async def _dawdle(ours: Tertulia, topic: str, epoch: str) -> None:
    """Follow it from its beginning, and read 1 KB a second."""
    loop = asyncio.get_running_loop()
    with contextlib.closing(socket.socket()) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        end.setblocking(False)
        await loop.sock_connect(end, ("127.0.0.1", ours.port))
        request = (
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{ours.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Protocol: chat.v1\r\n\r\n"
        )
        hello, subscribe = ours.greeting(topic)
        after = f',"after":{{"epoch":"{epoch}","offset":0}}}}'
        frames = b"".join(_masked(text.encode()) for text in (hello, subscribe[:-1] + after))
        await loop.sock_sendall(end, request.encode())
        await loop.sock_recv(end, _SLOW_BYTES)
        await loop.sock_sendall(end, frames)
        while await loop.sock_recv(end, _SLOW_BYTES):  # noqa: ASYNC110 - this is what slow means
            await asyncio.sleep(_SLOW_SECONDS)


def _masked(payload: bytes) -> bytes:
    return b"\x81\xfe" + len(payload).to_bytes(2, "big") + bytes(4) + payload
