"""Whoever follows may take longer for a batch than a lease lasts, or sleep through it: nothing is lost by that."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any

import pytest

from server.projections.checkpoints import LeaseLost, Step
from server.projections.contract import Fact, Projection, Side
from server.projections.conversation_list import ConversationList
from server.search.contract import SearchQuery
from server.storage.database import stopped
from server.storage.event_feed import EventFeed, Heard
from server.storage.list_rows import Seen
from tests.support.reading import ADA, GRACE, Library, library, message_of
from tests.support.search_engines import SEARCH_ENGINES
from tests.support.waiting import wait_until

LEASE_SECONDS = 1.0


@pytest.fixture
async def house(mongodb_url: str) -> AsyncGenerator[Library]:
    """Give a database of the test's own, in which leases are short."""
    async with library(mongodb_url, LEASE_SECONDS) as house:
        yield house


async def nothing() -> None:
    """Happens."""


@pytest.fixture(params=sorted(SEARCH_ENGINES))
async def searched(request: pytest.FixtureRequest, mongodb_url: str) -> AsyncGenerator[Library]:
    """Give the same, searched with each engine in turn."""
    async with SEARCH_ENGINES[request.param](mongodb_url) as engine, library(mongodb_url) as house:
        house.search_with(engine)
        await house.projections["search"].prepare("live")
        yield house


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

        await wait_until(followed)
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
        await wait_until(found_both)


async def all_of_them(house: Library, after: int = 0) -> list[Fact]:
    """What has happened, but for so many."""
    return [fact async for batch in EventFeed().stored(100) for fact in batch][after:]


async def go_on(house: Library, projection: Projection, after: int) -> None:
    """As whoever takes the lease once it has run out: take in what has happened, and save the place."""
    hold = await house.checkpoints.take(projection.name, "another", by_force=True)
    assert hold is not None
    facts = await all_of_them(house, after)
    await projection.apply(facts, "live")
    await house.checkpoints.save(hold, Step(await EventFeed().now(), len(facts), facts[-1].id))


async def sleep_through(house: Library, name: str, heard: Sequence[Fact]) -> None:
    """Take some events in as somebody who sleeps in the midst of it, until he has lost the lease."""
    hold = await house.checkpoints.take(name, "sleeper", by_force=True)
    assert hold is not None
    with pytest.raises(LeaseLost):
        await house.follower(name, "sleeper")._take_in(hold, Heard(list(heard), await EventFeed().now()))


@pytest.mark.parametrize("what", ["taken back", "taken out", "deleted"])
async def test_who_sleeps_before_he_writes_brings_nothing_back(
    searched: Library, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """He has seen a message as it was before it was taken back, and writes when that was taken in by another."""
    search, engine = searched.projections["search"], searched.engine
    conversation = await searched.begin(members=[GRACE])
    said = message_of(await searched.say(conversation, "a secret moon"))
    seen, put = await all_of_them(searched), engine.put

    async def wake_up(*documents: Any, **more: Any) -> None:
        monkeypatch.setattr(engine, "put", put)
        if what == "taken back":
            await searched.retract(conversation, said)
        elif what == "taken out":
            await searched.change(conversation, members=[])
        else:
            await searched.delete(conversation)
        await go_on(searched, search, len(seen))
        await put(*documents, **more)

    monkeypatch.setattr(engine, "put", wake_up)
    await sleep_through(searched, "search", seen)
    for reader in (ADA, GRACE):
        hits = (await engine.search(SearchQuery(reader=reader, text="moon"))).hits
        assert [hit.id for hit in hits] == ([said] if (what, reader) == ("taken out", ADA) else [])


async def test_who_sleeps_before_he_tells_has_not_the_last_word(house: Library) -> None:
    """He tells of a conversation as it was: it is told once more, as it is."""
    conversation = await house.begin()
    told: list[str] = []

    class Listening:
        """Hears what the last message is, of him who sleeps a moment later."""

        asleep = False

        async def changed(self, seen: Sequence[Seen]) -> None:
            """See the port."""
            if not self.asleep:
                self.asleep = True
                await house.say(conversation, "new")
                await go_on(house, projection, len(heard))
            told.extend(one.row["last"]["text"] for one in seen)

    projection = ConversationList(house.client[house.name], Listening())
    house.projections[projection.name] = projection
    await house.say(conversation, "old")
    heard = await all_of_them(house)
    await sleep_through(house, projection.name, heard)
    assert told[:2] == ["new", "old"]
    assert told[-1] == "new"
