"""Idle connections: what each one that has said hello and follows a conversation of its own holds, and costs."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from tests.benchmarks.fanout import following
from tests.benchmarks.load import Plan
from tests.benchmarks.machine import SERVER_CORE
from tests.benchmarks.processes import COUNTING, Process, clients, module, running
from tests.benchmarks.tertulia import Engines, tertulia

_WARM_UP = 50
_SETTLE_SECONDS = 15.0
"""A conversation that was just begun is looked after every 3 s, four times; what is watched is silence."""


@dataclass(frozen=True)
class Idle:
    """What was measured."""

    who: str
    sockets: int
    bytes_each: float
    """Growth of the server's resident memory."""
    cpu_share: float
    """Of one core, for all of them together, while nothing happens."""


async def measure(engines: Engines, sockets: int, seconds: float) -> AsyncGenerator[Idle]:
    """Connect, let it settle, and watch: two bare servers, and ours."""
    bare = {
        "websockets, connected alone": module("tests.benchmarks.servers.broadcast"),
        "Node ws, connected alone": ["node", "tests/benchmarks/servers/node_ws.mjs", "{}"],
    }
    for who, arguments in bare.items():
        async with running(arguments, core=SERVER_CORE, folder=engines.folder) as server:
            port = (await server.hear())["port"]
            plan, first = (Plan(port=port, greetings=[[]] * number) for number in (sockets, _WARM_UP))
            yield await _watched(engines, who, server, first, plan, seconds)
    async with tertulia(engines) as ours:
        conversations = await ours.conversations(sockets + _WARM_UP)
        first = following(ours, conversations[:_WARM_UP])
        plan = following(ours, conversations[_WARM_UP:])
        yield await _watched(engines, "Tertulia", ours.web, first, plan, seconds)


async def _watched(
    engines: Engines, who: str, server: Process, first: Plan, plan: Plan, seconds: float
) -> Idle:
    async with clients(COUNTING, first, engines.folder):
        before = server.resident
        async with clients(COUNTING, plan, engines.folder):
            await asyncio.sleep(_SETTLE_SECONDS)
            held, spent = server.resident - before, server.cpu
            await asyncio.sleep(seconds)
            sockets = len(plan.greetings)
            return Idle(who, sockets, held / sockets, (server.cpu - spent) / seconds)
