"""Accepted sends: how many a second one web process accepts, and what each costs, beside the bare transaction.

Accepting is a transaction with a majority of the replica set (message, owed reply, both events), the events in the
log, and the job in the queue. Beside it, the same documents written by the driver alone.
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
