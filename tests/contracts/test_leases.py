"""The port of leases (`realtime.leases.contract`), on every engine."""

import asyncio

import pytest

from realtime.errors import Unavailable
from tests.support.realtime_engines import Engine
from tests.support.waiting import wait_until


async def test_one_holder_at_a_time(engine: Engine, name: str) -> None:
    """Of many who want it at once, one has it; the holder keeps it by saying so again."""
    leases = engine.leases()
    await leases.release(name, "nobody")  # a cluster's client is asked one thing before it is asked many
    holders = [f"p{number}" for number in range(20)]
    had = await asyncio.gather(*(leases.hold(name, holder, 30) for holder in holders))
    assert had.count(True) == 1
    holder = holders[had.index(True)]
    assert await leases.hold(name, holder, 30)
    assert not await leases.hold(name, "another", 30)


async def test_a_silent_holder_loses_it(engine: Engine, name: str) -> None:
    """When its time is over, another may have it, and the first may not."""
    leases = engine.leases()
    assert await leases.hold(name, "dead", 0.2)

    async def free() -> bool:
        return await leases.hold(name, "alive", 30)

    await wait_until(free)
    assert not await leases.hold(name, "dead", 30)


async def test_only_the_holder_lets_go(engine: Engine, name: str) -> None:
    """What somebody else says changes nothing."""
    leases = engine.leases()
    assert await leases.hold(name, "a", 30)
    await leases.release(name, "b")
    assert not await leases.hold(name, "b", 30)
    await leases.release(name, "a")
    assert await leases.hold(name, "b", 30)


async def test_nothing_lives_for_ever(engine: Engine, name: str) -> None:
    """A lease ends by itself, however its holder died."""
    leases = engine.leases()
    await leases.hold(f"{{{name}}}", "a", 30)
    lifetimes = await engine.lifetimes(name)
    assert [0 < seconds <= 30 for seconds in lifetimes.values()] == [True]


async def test_a_lease_is_unavailable_where_nothing_answers(absent: Engine, name: str) -> None:
    """And never an error of the engine's own."""
    leases = absent.leases()
    with pytest.raises(Unavailable):
        await leases.hold(name, "a", 1)
    with pytest.raises(Unavailable):
        await leases.release(name, "a")
