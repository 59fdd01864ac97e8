"""The port of the cache (`server.cache.contract`), on every engine, with two processes that share it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from redis.asyncio.cluster import RedisCluster

from realtime.redis import command_client, subscription_client
from server.cache.contract import Kind
from server.cache.levels import Levels
from tests.support.realtime_engines import ENGINES, nowhere
from tests.support.waiting import wait_until

WORDS: Kind[str] = Kind("word", encode=str.encode, decode=bytes.decode, absent_seconds=30.0)


class Shelf:
    """What is loaded from, as a database would be."""

    def __init__(self, **words: str) -> None:
        self.words = words
        self.loads = 0
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()

    async def load(self, name: str = "owl") -> str | None:
        """Read first, answer when `open`: as slow as a test wants it."""
        self.loads += 1
        word = self.words.get(name)
        self.asked.set()
        await self.open.wait()
        return word


@asynccontextmanager
async def levels(url: str, *, hearing: bool = True) -> AsyncGenerator[Levels]:
    """One process's cache, which hears the others unless said otherwise."""
    async with AsyncExitStack() as stack:
        commands = await stack.enter_async_context(command_client(url))
        feed = await stack.enter_async_context(subscription_client(url))
        cache = await stack.enter_async_context(Levels(commands, feed, answer_seconds=5.0).running())

        async def hears() -> bool:
            return cache.hears

        if hearing:
            await wait_until(hears)
        yield cache


@pytest.fixture
async def two(engine_url: str) -> AsyncGenerator[tuple[Levels, Levels]]:
    """Give two processes' caches on each engine in turn."""
    async with levels(engine_url) as one, levels(engine_url) as other:
        yield one, other


async def test_three_levels_one_after_the_other(two: tuple[Levels, Levels], name: str) -> None:
    """The first who asks loads; then it is kept here, and the other finds it in Redis and keeps it too."""
    one, other = two
    shelf = Shelf(owl="hoot")
    for cache in (one, one, other, other):
        assert await cache.get(WORDS, name, shelf.load) == "hoot"
    assert shelf.loads == 1
    assert one.counts == {("word", "database"): 1, ("word", "memory"): 1}
    assert other.counts == {("word", "redis"): 1, ("word", "memory"): 1}


async def test_that_there_is_nothing_is_kept_too(two: tuple[Levels, Levels], name: str) -> None:
    """Here and for the others."""
    one, other = two
    shelf = Shelf()
    for cache in (one, one, other):
        assert await cache.get(WORDS, name, shelf.load) is None
    assert shelf.loads == 1


async def test_a_crowd_makes_one_load_and_who_leaves_ends_it_for_nobody(
    two: tuple[Levels, Levels], name: str
) -> None:
    """Also when the one who leaves is the one who began it."""
    cache, _ = two
    shelf = Shelf(owl="hoot")
    shelf.open.clear()
    crowd = [asyncio.create_task(cache.get(WORDS, name, shelf.load)) for _ in range(50)]
    await shelf.asked.wait()
    crowd[0].cancel()
    shelf.open.set()
    first, *others = await asyncio.gather(*crowd, return_exceptions=True)
    assert isinstance(first, asyncio.CancelledError)
    assert others == ["hoot"] * 49
    assert shelf.loads == 1


async def test_a_load_that_fails_is_not_kept(two: tuple[Levels, Levels], name: str) -> None:
    """Whoever waited hears of it; the next one tries again."""
    cache, _ = two

    async def broken() -> str | None:
        raise LookupError(name)

    outcomes = await asyncio.gather(
        *(cache.get(WORDS, name, broken) for _ in range(3)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [LookupError] * 3
    assert await cache.get(WORDS, name, Shelf(owl="hoot").load) == "hoot"


async def test_what_one_changes_the_other_does_not_keep(two: tuple[Levels, Levels], name: str) -> None:
    """Who changed it sees it at once, the other when it has heard, and from then on."""
    one, other = two
    shelf = Shelf(owl="hoot")
    for cache in two:
        await cache.get(WORDS, name, shelf.load)
    shelf.words["owl"] = "shriek"
    await one.forget(WORDS, name)
    assert await one.get(WORDS, name, shelf.load) == "shriek"

    async def heard() -> bool:
        return await other.get(WORDS, name, shelf.load) == "shriek"

    await wait_until(heard)
    assert await other.get(WORDS, name, shelf.load) == "shriek"


@pytest.mark.parametrize("changer", [0, 1], ids=["same process", "another process"])
async def test_a_load_that_was_overtaken_by_a_change_is_kept_nowhere(
    two: tuple[Levels, Levels], name: str, changer: int
) -> None:
    """It read before the change and answers after it: neither process nor Redis keeps what it has."""
    loader = two[0]
    shelf = Shelf(owl="hoot")
    shelf.open.clear()
    slow = asyncio.create_task(loader.get(WORDS, name, shelf.load))
    await shelf.asked.wait()
    shelf.words["owl"] = "shriek"
    await two[changer].forget(WORDS, name)
    shelf.open.set()
    assert await slow == "hoot"  # it asked before the change

    async def changed() -> bool:
        return [await cache.get(WORDS, name, shelf.load) for cache in two] == ["shriek"] * 2

    await wait_until(changed)
    assert await changed()


async def test_who_asks_after_a_change_does_not_wait_for_an_older_load(
    two: tuple[Levels, Levels], name: str
) -> None:
    """It begins one of its own."""
    cache, _ = two
    shelf = Shelf(owl="hoot")
    shelf.open.clear()
    slow = asyncio.create_task(cache.get(WORDS, name, shelf.load))
    await shelf.asked.wait()
    await cache.forget(WORDS, name)
    assert await cache.get(WORDS, name, Shelf(owl="shriek").load) == "shriek"
    shelf.open.set()
    await slow
    assert await cache.get(WORDS, name, shelf.load) == "shriek"


async def test_who_was_deaf_believes_nothing_that_it_kept(
    two: tuple[Levels, Levels], engine_url: str, name: str
) -> None:
    """The feed's connections are cut; what is forgotten meanwhile is not told again, and nobody shows it."""
    one, other = two
    shelf = Shelf(owl="hoot")
    for cache in two:
        await cache.get(WORDS, name, shelf.load)
    async with command_client(engine_url) as commands:
        everywhere = {"target_nodes": "primaries"} if isinstance(commands, RedisCluster) else {}
        await commands.execute_command("CLIENT KILL", "TYPE", "pubsub", **everywhere)

    async def deaf() -> bool:
        return not other.hears

    await wait_until(deaf)
    shelf.words["owl"] = "shriek"
    await one.forget(WORDS, name)
    assert await other.get(WORDS, name, shelf.load) == "shriek"

    async def hears() -> bool:
        return other.hears

    await wait_until(hears)
    assert await other.get(WORDS, name, shelf.load) == "shriek"


async def test_what_is_kept_by_version_is_found_elsewhere(two: tuple[Levels, Levels], name: str) -> None:
    """At once where it was kept, a moment later by the others."""
    one, other = two
    assert await one.find(WORDS, name) is None
    await one.keep(WORDS, name, "hoot")
    assert await one.find(WORDS, name) == "hoot"

    async def there() -> bool:
        await one.keep(WORDS, name, "hoot")  # again, should Redis have been slower than anybody waits for it
        return await other.find(WORDS, name) == "hoot"

    await wait_until(there)


NUMBERS: Kind[int] = Kind("word", encode=lambda number: str(number).encode(), decode=int)


async def test_what_another_version_has_written_is_not_there(two: tuple[Levels, Levels], name: str) -> None:
    """While processes of two versions run, each of them loads what it cannot read, and neither fails."""
    one, other = two
    assert await one.get(WORDS, name, Shelf(owl="hoot").load) == "hoot"

    async def load() -> int:
        return 7

    assert await other.get(NUMBERS, name, load) == 7

    async def there() -> bool:
        await one.keep(WORDS, f"{name}2", "hoot")
        return await two[1].find(WORDS, f"{name}2") == "hoot"

    await wait_until(there)
    await other.memory.empty()
    assert await other.find(NUMBERS, f"{name}2") is None


async def test_every_key_has_its_time(two: tuple[Levels, Levels], engine_url: str, name: str) -> None:
    """Values and stamps."""
    cache, _ = two
    await cache.get(WORDS, name, Shelf(owl="hoot").load)
    await cache.forget(WORDS, name)
    await cache.get(WORDS, name, Shelf(owl="hoot").load)
    async with command_client(engine_url) as commands:
        keys = [key async for key in commands.scan_iter(match=f"cache:*{name}*", count=1000)]
        assert len(keys) == 2
        assert all([await commands.ttl(key) > 0 for key in keys])


async def test_times_to_live_are_spread_in_redis_too(
    two: tuple[Levels, Levels], engine_url: str, name: str
) -> None:
    """What many processes have kept in one moment does not go in one moment."""
    for number in range(20):
        await two[0].get(WORDS, f"{name}-{number}", Shelf(owl="hoot").load)
    async with command_client(engine_url) as commands:
        keys = [key async for key in commands.scan_iter(match=f"cache:*{name}-*", count=1000)]
        left = [await commands.pttl(key) for key in keys if not key.endswith(b":stamp")]
    assert len(left) == 20
    assert max(left) - min(left) > 60_000 * 0.02


@pytest.mark.parametrize("kind", sorted(ENGINES))
async def test_an_engine_that_is_away_is_left_out(kind: str, name: str) -> None:
    """All is loaded, nothing is believed, nothing fails."""
    async with levels(nowhere(kind), hearing=False) as cache:
        shelf = Shelf(owl="hoot")
        for _ in range(3):
            assert await cache.get(WORDS, name, shelf.load) == "hoot"
        shelf.words["owl"] = "shriek"
        await cache.forget(WORDS, name)
        assert await cache.get(WORDS, name, shelf.load) == "shriek"
        assert cache.counts == {("word", "database"): 4}
        await cache.keep(WORDS, name, "by version")
        assert await cache.find(WORDS, name) == "by version"
