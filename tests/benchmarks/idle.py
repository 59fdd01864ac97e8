"""Idle connections: what each one that has said hello and follows a conversation of its own holds, and costs."""

import asyncio
from dataclasses import dataclass

from tests.benchmarks.fanout import following
from tests.benchmarks.processes import COUNTING, clients
from tests.benchmarks.tertulia import Engines, tertulia

_WARM_UP = 50
_SETTLE_SECONDS = 2.0


@dataclass(frozen=True)
class Idle:
    """What was measured."""

    sockets: int
    bytes_each: float
    """Growth of the web process's resident memory."""
    cpu_share: float
    """Of one core, for all of them together, while nothing happens."""
    seconds: float


async def measure(engines: Engines, sockets: int, seconds: float) -> Idle:
    """Connect, let it settle, and watch."""
    async with tertulia(engines) as ours:
        conversations = await ours.conversations(sockets + _WARM_UP)
        async with clients(COUNTING, following(ours, conversations[:_WARM_UP]), engines.folder):
            before = ours.web.resident
            async with clients(COUNTING, following(ours, conversations[_WARM_UP:]), engines.folder):
                await asyncio.sleep(_SETTLE_SECONDS)
                held, spent = ours.web.resident - before, ours.web.cpu
                await asyncio.sleep(seconds)
                return Idle(sockets, held / sockets, (ours.web.cpu - spent) / seconds, seconds)
