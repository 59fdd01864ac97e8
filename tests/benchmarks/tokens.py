"""The token path: what one model stream to one client costs, in CPU time per token, and how long it takes to begin.

Ours is worker and web process together, with everything between a model's server and a socket: the job in the queue,
the log, the store. Beside it, processes without any server that only read the stream. All read from the same server
of OpenAI's protocol, which gives each stream 50 tokens a second after a first token at 100 ms.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeAlias

from tests.benchmarks.fanout import following
from tests.benchmarks.machine import LOAD_CORE, SERVER_CORE
from tests.benchmarks.processes import CHATTING, Process, Stuck, clients, module, running
from tests.benchmarks.servers.paced_model import FIRST_TOKEN_SECONDS, TOKEN_SECONDS
from tests.benchmarks.tertulia import Engines, tertulia

_ALONE = {"raw": "httpx2 lines + json", "sdk": "OpenAI SDK, async for", "ours": "our provider engine"}
_SHORT, _LONG = 10, 100
"""Tokens of the answers whose beginning is timed: when one follows the other, and when many run side by side."""


@dataclass(frozen=True)
class Cost:
    """CPU time per token."""

    reader: str
    how: str
    streams: int
    tokens: int
    microseconds: float
    """All CPU from the first send to the last end, per token."""
    parts: str = ""


@dataclass(frozen=True)
class Delay:
    """Time to the first token, in milliseconds, beyond the model server's own."""

    reader: str
    how: str
    answers: int
    median: float
    worst: float
    """The 99th percentile."""
    parts: str = ""


@dataclass(frozen=True)
class Share:
    """What a reply costs once, however long it is, and what each of its further tokens does."""

    reader: str
    how: str
    streams: int
    milliseconds: float
    microseconds: float


@dataclass(frozen=True)
class Resident:
    """Memory of the processes that read, once all streams have ended."""

    reader: str
    how: str
    bytes: int


Figure: TypeAlias = Cost | Share | Delay | Resident


@dataclass(frozen=True)
class Length:
    """Tokens of a reply, for its cost; how many answers are timed, at one stream, and of each of many."""

    tokens: int
    answers: int
    rounds: int
    seconds: float
    """No run takes longer than this: it ends, and says where it was."""


QUICK = Length(tokens=100, answers=20, rounds=1, seconds=300)
LONG = Length(tokens=200, answers=40, rounds=3, seconds=570)


@asynccontextmanager
async def paced(engines: Engines) -> AsyncGenerator[str]:
    """Run the paced model; its base URL."""
    program = running(module("tests.benchmarks.servers.paced_model"), core=LOAD_CORE, folder=engines.folder)
    async with program as model:
        yield f"http://127.0.0.1:{(await model.hear())['port']}/v1"


@dataclass
class Place:
    """What is being measured now: for whoever ends a run that does not end."""

    name: str = "the model's double"


async def measure(
    engines: Engines, url: str, streams: list[int], length: Length, place: Place
) -> AsyncGenerator[Figure]:
    """All figures, at each number of streams; `url` is the paced model's. Errors: `Stuck`."""
    for way, reader in _ALONE.items():
        arguments = module("tests.benchmarks.servers.bare_streams", way, url)
        async with running(arguments, core=SERVER_CORE, folder=engines.folder) as process:
            await process.hear()
            async for figure in read(process, reader, "alone", streams, length, {}, place):
                yield figure
    # As many replies at once as there are streams: none waits for another to end.
    concurrency = {"CHAT_WORKER_CONCURRENCY": str(max(64, *streams))}
    place.name = "Tertulia, its start"
    async with tertulia(engines, url, worker=True, settings=concurrency) as ours:
        plan = following(ours, await ours.conversations(max(streams)))
        assert ours.worker
        servers = {"web": ours.web, "worker": ours.worker}
        async with clients(CHATTING, plan, engines.folder) as chatters:
            async for figure in read(chatters, "Tertulia", "worker + web", streams, length, servers, place):
                yield figure


async def read(
    process: Process,
    reader: str,
    how: str,
    streams: list[int],
    length: Length,
    servers: Mapping[str, Process],
    place: Place,
) -> AsyncGenerator[Figure]:
    """Let `process` read at each number of streams; `servers` are what is measured, or itself. Errors: `Stuck`."""

    async def go(count: int, answers: int, tokens: int, gap: float) -> dict[str, Any]:
        place.name = f"{reader}, {count} streams"
        await process.tell(f"go {count} {answers} {tokens} {gap}")
        told = await process.hear(answers * (tokens * TOKEN_SECONDS + 5) + 60)
        if told["tokens"] != (wanted := count * answers * tokens):
            raise Stuck(f"{place.name}: of {wanted:,} tokens {told['tokens']:,} arrived")
        return told

    async def spend(count: int, tokens: int) -> tuple[list[float], int]:
        """Seconds of CPU, of each process, and tokens."""
        before = [server.cpu for server in servers.values()]
        told = await go(count, 1, tokens, _spread(count))
        spent = [server.cpu - start for server, start in zip(servers.values(), before, strict=True)]
        return spent or [told["cpu"]], told["tokens"]

    for count in streams:
        await go(count, 2, _SHORT, 0.01)
        cpu, tokens = await spend(count, length.tokens)
        each = {name: seconds / tokens * 1e6 for name, seconds in zip(servers, cpu, strict=False)}
        parts = ", ".join(f"{name} {part:.0f}" for name, part in each.items()) if len(each) > 1 else ""
        yield Cost(reader, how, count, tokens, sum(cpu) / tokens * 1e6, parts)
        if count == 1:
            yield _delay(reader, 1, "", await go(1, length.answers, _SHORT, 0.0))
            continue
        short, few = await spend(count, _SHORT)
        further = (sum(cpu) - sum(short)) / (tokens - few)
        once = (sum(short) - further * few) / count
        yield Share(reader, how, count, once * 1e3, further * 1e6)
        told = await go(count, length.rounds, _LONG, _spread(count))
        yield _delay(reader, count, "beginning one by one", told)
        yield _delay(reader, count, "all at once", await go(count, 1, _SHORT, 0.0))
    held = servers.values() or [process]
    yield Resident(reader, f"after {max(streams)} streams", sum(one.resident for one in held))


def _spread(streams: int) -> float:
    """Between the beginnings: so that they are spread over an answer."""
    return (_LONG * TOKEN_SECONDS + FIRST_TOKEN_SECONDS) / streams


def _delay(reader: str, streams: int, how: str, told: dict[str, Any]) -> Delay:
    added: list[float] = sorted((seconds - FIRST_TOKEN_SECONDS) * 1e3 for seconds in told["first"])

    def at(share: float) -> float:
        return added[min(len(added) - 1, int(share * len(added)))]

    how = f"{streams} streams, {how}" if streams > 1 else "1 stream"
    return Delay(reader, how, len(added), at(0.5), at(0.99), _stages(told))


def _stages(told: dict[str, Any]) -> str:
    """Where the time went, by the middle of each: none for who has no server."""
    if "queued" not in told:
        return ""
    accepted, queued = median(told["accepted"]) * 1e3, median(told["queued"])
    asked = median(told["asked"]) - FIRST_TOKEN_SECONDS * 1e3
    return f"accepted {accepted:.0f}, with a worker {queued:.0f}, then to its token {asked:.0f}"
