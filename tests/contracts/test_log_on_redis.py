"""What Redis and Valkey must do beyond the port of the log: scripts, connections, and keys that end."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from realtime.log.contract import Close, Grow, Open, Position, Record, Retention
from tests.support.realtime_engines import RedisEngine, redis_engine

A = Record(b'{"text":"a"}')


@pytest.fixture
async def engine(redis_url: str) -> AsyncGenerator[RedisEngine]:
    """Give the session's Valkey."""
    async with redis_engine(redis_url) as engine:
        yield engine


async def test_forgotten_scripts_are_loaded_again(engine: RedisEngine, name: str) -> None:
    """An engine that was started anew knows no scripts; nobody notices."""
    log = engine.log()
    await log.append(name, [A])
    await engine.commands.script_flush()
    [position] = await log.append(name, [A])
    assert isinstance(position, Position)
    assert position.offset == 2
    await engine.commands.script_flush()
    assert (await log.read(name, None)).position.offset == 2


async def test_nothing_lives_for_ever(engine: RedisEngine, name: str) -> None:
    """Every key has a time to live from its creation, and appending renews it."""
    log = engine.log(Retention(idle_seconds=100))
    await log.read(name, None)
    found = [await engine.lifetimes(name)]
    for changes in ([Open("d", 1, b"")], [Grow("d", 1, 0, "x")], [Open("e", 1, b"", "y"), Close("d", 1)]):
        await log.append(name, [Record(b"{}", change) for change in changes])
        found.append(await engine.lifetimes(name))
    assert [len(keys) for keys in found] == [1, 4, 4, 5]
    assert all(0 < seconds <= 100 for keys in found for seconds in keys.values())
    await engine.log(Retention(idle_seconds=500)).append(name, [A])
    assert sum(seconds > 100 for seconds in (await engine.lifetimes(name)).values()) == 3


async def test_a_crowd_that_comes_at_once_is_served(engine: RedisEngine, name: str) -> None:
    """After a restart thousands of clients read at once: they wait for one another, and nobody is refused."""
    log = engine.log()
    await log.append(name, [A])
    readings = await asyncio.gather(*(log.read(name, None) for _ in range(400)))
    assert {reading.position.offset for reading in readings} == {1}
