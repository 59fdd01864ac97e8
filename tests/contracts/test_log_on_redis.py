"""What Redis and Valkey must do beyond the port of the log: scripts, connections, and keys that end."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from realtime.log.contract import Close, Grow, Open, Position, Record, Retention
from tests.support.private_valkey import private_valkey
from tests.support.realtime_engines import RedisEngine, listening, redis_engine
from tests.support.waiting import wait_until

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


async def test_scripts_may_be_forgotten_again_and_again(
    engine: RedisEngine, redis_url: str, name: str
) -> None:
    """Between any two steps: what is asked a second time brings its script along."""
    log, count = engine.log(), 200

    async def forget() -> None:
        async with redis_engine(redis_url) as other:
            while True:
                await other.commands.script_flush()

    forgetting = asyncio.create_task(forget())
    try:
        told = [await log.append(name, [A, A]) for _ in range(count)]
    finally:
        forgetting.cancel()
        await asyncio.gather(forgetting, return_exceptions=True)
    assert [getattr(one, "offset", one) for both in told for one in both] == list(range(1, 2 * count + 1))


async def test_a_map_that_is_old_repeats_nothing(cluster_url: str, name: str) -> None:
    """Each slot is asked for at a wrong server of a cluster: whoever is sent elsewhere disturbs no other's append."""
    async with redis_engine(cluster_url) as engine:
        log = engine.log()
        topics = [f"{name}-{number}" for number in range(30)]
        await asyncio.gather(*(log.append(topic, [A]) for topic in topics))
        slots, primaries = engine.commands.nodes_manager.slots_cache, engine.commands.get_primaries()
        after = dict(zip(primaries, [*primaries[1:], primaries[0]], strict=True))
        for _ in range(10):
            for slot, (first, *_) in list(slots.items()):
                slots[slot] = [after[first]]
            await asyncio.gather(*(log.append(topic, [A]) for topic in topics))
        told = [position.offset if position else None for position in await log.offsets(topics)]
        assert told == [11] * len(topics)


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


async def test_what_is_too_old_is_trimmed(engine: RedisEngine, name: str) -> None:
    """In a log that stays busy, entries go with their age: who was away for longer gets a snapshot."""
    log = engine.log(Retention(max_age_seconds=1))
    [first] = await log.append(name, [A])
    assert isinstance(first, Position)

    async def is_gone() -> bool:
        await log.append(name, [A])
        return not (await log.read(name, Position(first.epoch, 0))).recovered

    assert not await is_gone()
    await wait_until(is_gone)
    [top] = await log.offsets([name])
    assert top
    assert top.epoch == first.epoch
    assert (await log.read(name, Position(top.epoch, top.offset - 1))).recovered
    marks = (await engine.commands.hget(f"log:{{{name}}}:meta", "m")).split()
    assert len(marks) <= 9


async def test_another_replication_begins_a_new_epoch(tmp_path: Path, name: str) -> None:
    """A server that was started again, or promoted, may have lost its last writes: nobody goes on as if it had not."""
    async with private_valkey(tmp_path) as server, redis_engine(server.url) as engine:
        log = engine.log()
        await log.append(name, [A, Record(b"{}", Open("d", 1, b"", "text"))])
        [before] = await log.offsets([name])
        assert before
        await server.kill()
        await server.start()
        reading = await log.read(name, before)
        assert (reading.recovered, reading.position.offset, reading.drafts) == (False, 0, [])
        assert reading.position.epoch != before.epoch
        assert await log.append(name, [Record(b"{}", Grow("d", 1, 4, "x"))]) != [3]
        await engine.commands.replicaof("127.0.0.1", "1")
        await engine.commands.replicaof("NO", "ONE")
        [after] = await log.append(name, [A])
        assert isinstance(after, Position)
        assert (after.epoch != reading.position.epoch, after.offset) == (True, 1)


async def test_a_crowd_that_comes_at_once_is_served(engine: RedisEngine, name: str) -> None:
    """After a restart thousands of clients read at once: they wait for one another, and nobody is refused."""
    log = engine.log()
    await log.append(name, [A])
    readings = await asyncio.gather(*(log.read(name, None) for _ in range(400)))
    assert {reading.position.offset for reading in readings} == {1}


async def test_who_comes_back_while_a_topic_is_left_disturbs_nobody(engine: RedisEngine, name: str) -> None:
    """The answer to our own farewell is no news, whatever was asked for since: the connection stays."""
    log, feed = engine.log(), engine.feed()
    async with listening(feed) as heard:
        await feed.follow(name)
        for _ in range(20):
            await asyncio.gather(feed.unfollow(name), feed.follow(name))
        await log.append(name, [A])
        await heard.until(1)
        assert heard.items.count(None) == 1
