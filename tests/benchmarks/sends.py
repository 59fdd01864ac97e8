"""Accepted sends: how many a second one web process accepts, what each costs, and how soon a worker has it.

Accepting is a transaction with a majority of the replica set (message, owed reply, both events), the events in the
log, and the job in the queue. Beside it, the same documents written by the driver alone, and a bare XADD with the
XREADGROUP of a reader that waits for it.
"""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.fanout import following
from tests.benchmarks.machine import SERVER_CORE
from tests.benchmarks.processes import CHATTING, clients, module, running
from tests.benchmarks.tertulia import Engines, tertulia

CLIENTS = 20
_WARM_UP = 5


@dataclass(frozen=True)
class Sends:
    """What was measured."""

    who: str
    how: str
    sends: int
    per_second: float
    microseconds: float
    """CPU of the process, per send."""
    median: float
    """Milliseconds until a send was accepted."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds until somebody had it."""

    who: str
    how: str
    sends: int
    median: float
    worst: float
    """The 99th percentile."""


PER_SECOND = 50
_PACED_CLIENTS = 100


async def queue_latency(engines: Engines, model_url: str, seconds: int) -> AsyncGenerator[Latency]:
    """From accepted to started, at 50 sends a second; and the bare pair of commands at the same pace."""
    assert engines.urls.redis
    count = PER_SECOND * seconds
    bare = module("tests.benchmarks.servers.bare_queue", engines.urls.redis)
    async with running(bare, core=SERVER_CORE, folder=engines.folder) as process:
        await process.hear()
        for sends in (PER_SECOND, count):
            await process.tell(f"go {sends} {PER_SECOND}")
            told = await process.hear(seconds + 30)
        yield _latency("Redis client", "XADD, then XREADGROUP", told["waited"])
    async with tertulia(engines, model_url, worker=True) as ours:
        plan = following(ours, await ours.conversations(_PACED_CLIENTS))
        async with clients(CHATTING, plan, engines.folder) as chatters:
            for sends in (PER_SECOND, count):
                await chatters.tell(f"pace {_PACED_CLIENTS} {sends} 1 {1 / PER_SECOND}")
                told = await chatters.hear(seconds + 120)
            yield _latency("Tertulia", "accepted, then started by a worker", told["started"])
            yield _latency("Tertulia", "sent, then accepted", told["accepted"])


def _latency(who: str, how: str, seconds: list[float]) -> Latency:
    ordered = sorted(second * 1e3 for second in seconds)
    worst = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return Latency(who, how, len(ordered), ordered[len(ordered) // 2], worst)


async def measure(engines: Engines, each: int) -> AsyncGenerator[Sends]:
    """`each` sends by each of 20 clients, which wait for one to be accepted before the next."""
    assert engines.urls.mongodb
    bare = module("tests.benchmarks.servers.bare_transactions", engines.urls.mongodb)
    async with running(bare, core=SERVER_CORE, folder=engines.folder) as process:
        await process.hear()
        await process.tell(f"go {CLIENTS} {_WARM_UP}")
        await process.hear()
        before = process.cpu
        await process.tell(f"go {CLIENTS} {each}")
        told = await process.hear(120)
        yield _sends("MongoDB driver", "the transaction alone", told, process.cpu - before)
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(tertulia(engines))
        plan = following(ours, await ours.conversations(CLIENTS))
        chatters = await stack.enter_async_context(clients(CHATTING, plan, engines.folder))
        for how, tokens in (("with a reply owed: log and queue too", 1), ("without a reply: log too", 0)):
            await chatters.tell(f"send {CLIENTS} {_WARM_UP} {tokens} 0")
            await chatters.hear()
            before = ours.web.cpu
            await chatters.tell(f"send {CLIENTS} {each} {tokens} 0")
            told = await chatters.hear(120)
            yield _sends("Tertulia", how, told, ours.web.cpu - before)


def _sends(who: str, how: str, told: dict[str, Any], cpu: float) -> Sends:
    accepted: list[float] = sorted(told["accepted"])
    count = len(accepted)
    return Sends(who, how, count, count / told["took"], cpu / count * 1e6, accepted[count // 2] * 1e3)
