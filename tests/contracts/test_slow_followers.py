"""Whoever follows may take longer for a batch than a lease lasts, or sleep through it: nothing is lost by that."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import pytest

from server.projections.checkpoints import Step
from server.projections.contract import Fact, Projection, Side
from server.search.contract import SearchQuery
from server.storage.database import stopped
from server.storage.event_feed import EventFeed
from tests.support.reading import ADA, Library, library, message_of
from tests.support.waiting import wait_until

LEASE_SECONDS = 0.3


@pytest.fixture
async def house(mongodb_url: str) -> AsyncGenerator[Library]:
    """Give a database of the test's own, in which leases are short."""
    async with library(mongodb_url, LEASE_SECONDS) as house:
        yield house


async def nothing() -> None:
    """Happens."""


class Watched:
    """A projection to which something happens before it takes in a batch, and before it swaps."""

    def __init__(
        self,
        projection: Projection,
        before_apply: Callable[[], Awaitable[object]],
        before_swap: Callable[[], Awaitable[object]] = nothing,
    ) -> None:
        self.name, self.version = projection.name, projection.version
        self._projection = projection
        self._before_apply = before_apply
        self._before_swap = before_swap

    async def prepare(self, side: Side) -> None:
        """See the port."""
        await self._projection.prepare(side)

    async def apply(self, facts: Sequence[Fact], side: Side) -> None:
        """See the port."""
        await self._before_apply()
        await self._projection.apply(facts, side)

    async def swap(self) -> None:
        """See the port."""
        await self._before_swap()
        await self._projection.swap()


async def find(house: Library, text: str) -> list[str]:
    """What is found, in the order of ids."""
    return sorted(hit.id for hit in (await house.engine.search(SearchQuery(reader=ADA, text=text))).hits)


async def test_a_batch_that_takes_longer_than_a_lease_is_taken_in(house: Library) -> None:
    """Whoever stands ready does not take it from him who works, who would then do the same to him."""
    await house.rebuild("search").run()
    said = message_of(await house.say(await house.begin(), "a slow moon"))
    working, most = 0, 0

    async def take_long() -> None:
        nonlocal working, most
        working += 1
        most = max(most, working)
        await asyncio.sleep(5 * LEASE_SECONDS)
        working -= 1

    house.projections["search"] = Watched(house.projections["search"], take_long)
    tasks = [asyncio.create_task(house.follower("search", name).run()) for name in ("one", "another")]
    try:

        async def followed() -> bool:
            return (await house.checkpoints.progress(["search"]))[0].lag == 0

        await wait_until(followed, within=10)
    finally:
        await stopped(tasks)
    assert await find(house, "moon") == [said]
    assert most == 1


async def test_a_rebuild_whose_batches_take_long_is_left_alone(house: Library) -> None:
    """Another would empty what it has built so far, and be left alone as little."""
    await house.say(await house.begin(), "a slow moon")
    rights: list[object] = []

    async def take_long() -> None:
        await asyncio.sleep(2 * LEASE_SECONDS)
        rights.append(await house.checkpoints.take("search.rebuild", "another"))

    house.projections["search"] = Watched(house.projections["search"], take_long)
    await house.rebuild("search").run()
    assert rights
    assert not any(rights)


async def test_a_rebuild_that_sleeps_before_it_swaps_loses_nothing(house: Library) -> None:
    """Somebody goes on with the old side, and saves his place: it is that of the new one no more."""
    await house.rebuild("search").run()
    conversation = await house.begin()
    said = [message_of(await house.say(conversation, "old moon"))]
    search = house.projections["search"]

    async def meanwhile() -> None:
        said.append(message_of(await house.say(conversation, "new moon")))
        hold = await house.checkpoints.take("search", "another", by_force=True)
        assert hold is not None
        facts = [fact async for batch in EventFeed().stored(100) for fact in batch]
        await search.apply(facts, "live")
        await house.checkpoints.save(hold, Step(await EventFeed().now(), len(facts), facts[-1].id))
        await house.checkpoints.release(hold)

    house.projections["search"] = Watched(search, nothing, meanwhile)
    await house.rebuild("search").run()

    async def found_both() -> bool:
        return await find(house, "moon") == sorted(said)

    async with house.following("search"):
        await wait_until(found_both, within=10)
