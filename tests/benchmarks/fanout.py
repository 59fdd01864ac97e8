"""Fan-out: what a server pays, in CPU time of its own, for each frame that it delivers to one more subscriber.

Every server does the same: 500 connections, frames of 120 bytes, no compression, a frame every 50 ms, so that none
is busy all the time. Ours is the whole path: an event is appended to the log in the queue engine, comes back over
pub/sub, and goes through hub and outbox to the sockets.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from realtime.log.contract import Record
from realtime.log.redis import RedisLog
from realtime.log.writer import Publisher
from realtime.redis import command_client
from tests.benchmarks.load import Plan
from tests.benchmarks.machine import SERVER_CORE
from tests.benchmarks.processes import COUNTING, Process, clients, module, running
from tests.benchmarks.servers.pace import FRAME, FRAME_BYTES
from tests.benchmarks.tertulia import Engines, Tertulia, tertulia

SUBSCRIBERS = 500
CROWD = 2000
_INTERVAL = 0.05
_WARM_UP = 10
_ARRIVAL_SECONDS = 30.0
_TOKEN_SECONDS = 0.02
_TOKEN = " token"


@dataclass(frozen=True)
class Result:
    """What was measured of one server."""

    server: str
    how: str
    frames: int
    """Deliveries that were counted at the clients; all that there should be."""
    microseconds: float
    """Of the server's CPU, per delivered frame (or token)."""


async def _arrived(load: Process, each: int) -> int:
    """Wait until every client has its frames, which must be exactly `each`; returns their bytes."""
    await load.tell(f"count {each} {_ARRIVAL_SECONDS}")
    counted = await load.hear(_ARRIVAL_SECONDS + 10)
    if counted["least"] != each or counted["most"] != each:
        raise RuntimeError(f"of {each} frames between {counted['least']} and {counted['most']} arrived")
    return int(counted["bytes"])


async def _measured(
    name: str,
    how: str,
    server: Process,
    load: Process,
    rounds: int,
    send: Callable[[int], Awaitable[None]],
    subscribers: int = SUBSCRIBERS,
) -> Result:
    await send(_WARM_UP)
    await _arrived(load, _WARM_UP)
    before = server.cpu
    await send(rounds)
    size = await _arrived(load, rounds)
    spent = server.cpu - before
    frames = rounds * subscribers
    assert size // frames in range(FRAME_BYTES - 2, FRAME_BYTES + 12), size / frames
    return Result(name, how, frames, spent / frames * 1e6)


async def _other(
    name: str, how: str, arguments: list[str], plan: Plan, engines: Engines, rounds: int
) -> Result:
    async with running(arguments, core=SERVER_CORE, folder=engines.folder) as server:
        plan.port = (await server.hear())["port"]
        async with clients(COUNTING, plan, engines.folder) as load:

            async def send(count: int) -> None:
                await server.tell(f"go {count} {_INTERVAL}")
                await server.hear(count * _INTERVAL + 60)

            return await _measured(name, how, server, load, rounds, send)


async def others(engines: Engines, rounds: int) -> AsyncGenerator[Result]:
    """The servers beside ours."""

    def plan(**more: str) -> Plan:
        greeting = [more.pop("greeting")] if "greeting" in more else []
        return Plan(
            port=0, greetings=[greeting] * SUBSCRIBERS, counted=more.pop("counted", '{"type"'), **more
        )

    servers = "tests.benchmarks.servers"
    yield await _other(
        "the kernel alone",
        "one write() of a ready frame after another",
        [*module(f"{servers}.ready_frames"), "kernel"],
        plan(),
        engines,
        rounds,
    )
    yield await _other(
        "uvloop transport.write",
        "a ready frame, no server at all: the limit",
        module(f"{servers}.ready_frames"),
        plan(),
        engines,
        rounds,
    )
    node = ["node", "tests/benchmarks/servers/node_ws.mjs", FRAME]
    yield await _other("Node ws", "send() to each client", node, plan(), engines, rounds)
    yield await _other(
        "websockets.broadcast", "on uvloop", module(f"{servers}.broadcast"), plan(), engines, rounds
    )
    socket_io = plan(
        path="/socket.io/?EIO=4&transport=websocket", greeting="40", ready="40{", counted='42["d"'
    )
    yield await _other(
        "python-socketio",
        "emit to a room, on uvicorn and uvloop",
        module(f"{servers}.socket_io"),
        socket_io,
        engines,
        rounds,
    )


def _body() -> bytes:
    """An event that merges with none, 120 bytes long as a frame, with an offset of two or three digits."""
    filling = "x" * (FRAME_BYTES - len('{"type":"reply.stage","text":"","offset":100}'))
    return f'{{"type":"reply.stage","text":"{filling}"}}'.encode()


def following(ours: Tertulia, conversations: list[str]) -> Plan:
    """Clients of ours that follow a conversation each."""
    return Plan(
        port=ours.port,
        path="/ws",
        protocol="chat.v1",
        greetings=[ours.greeting(conversation) for conversation in conversations],
        ready='{"type":"subscribed"',
        counted='{"type":"reply.stage"',
    )


async def ours(engines: Engines, rounds: int) -> AsyncGenerator[Result]:
    """Ours: many subscribers of one conversation, of one conversation each, and tokens of a growing draft."""
    assert engines.urls.redis
    async with tertulia(engines) as served, command_client(engines.urls.redis) as client:
        log = RedisLog(client)
        [conversation] = await served.conversations(1)

        def appender(conversations: list[str]) -> Callable[[int], Awaitable[None]]:
            async def append(count: int) -> None:
                loop = asyncio.get_running_loop()
                began = loop.time()
                for n in range(count):
                    await asyncio.sleep(max(0.0, began + n * _INTERVAL - loop.time()))
                    await log.append_many([(topic, [Record(_body())]) for topic in conversations])

            return append

        async with clients(COUNTING, following(served, [conversation] * SUBSCRIBERS), engines.folder) as load:
            how = "hello, subscribe, log, hub, outbox"
            yield await _measured("Tertulia", how, served.web, load, rounds, appender([conversation]))
            yield await _tokens(served, conversation, log, load, rounds)
        async with clients(COUNTING, following(served, [conversation] * CROWD), engines.folder) as load:
            how = f"{CROWD:,} subscribers of one conversation"
            few = max(rounds // 4, 10)
            yield await _measured("Tertulia", how, served.web, load, few, appender([conversation]), CROWD)
        apart = await served.conversations(SUBSCRIBERS)
        async with clients(COUNTING, following(served, apart), engines.folder) as load:
            how = "500 conversations of one subscriber each"
            yield await _measured("Tertulia", how, served.web, load, max(rounds // 5, 10), appender(apart))


async def _tokens(served: Tertulia, conversation: str, log: RedisLog, load: Process, rounds: int) -> Result:
    """A draft that grows by 50 tokens a second, as a worker writes it."""
    publisher = Publisher(log)
    publishing = asyncio.create_task(publisher.run())
    writer = publisher.writer(conversation, "msg_bench", 1)

    def body(at: int, text: str) -> bytes:
        head = f'{{"type":"reply.delta","conversation":"{conversation}","reply":"msg_bench"'
        return f'{head},"at":{at},"text":"{text}"}}'.encode()

    tokens = int(rounds * _INTERVAL / _TOKEN_SECONDS)
    writer.open(b'{"type":"reply.started"}', b"{}")
    await writer.flush()
    before, told = served.web.cpu, await served.metric("events_delivered_total")
    loop = asyncio.get_running_loop()
    began = loop.time()
    for n in range(tokens):
        await asyncio.sleep(max(0.0, began + n * _TOKEN_SECONDS - loop.time()))
        writer.write(_TOKEN, body)
    writer.event(_body())
    await writer.flush()
    await _arrived(load, 1)  # the one that shows that all before it have arrived
    spent = served.web.cpu - before
    frames = (await served.metric("events_delivered_total") - told) / SUBSCRIBERS
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    delivered = tokens * SUBSCRIBERS
    how = f"per delivered token: 50 tokens/s, merged to {frames / tokens * 50:.0f} frames/s"
    return Result("Tertulia", how, delivered, spent / delivered * 1e6)
