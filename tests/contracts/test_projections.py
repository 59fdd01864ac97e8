"""Projections on real MongoDB: they follow, they are followed by one at a time, and they are the same when rebuilt."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from itertools import pairwise
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from server.projections.checkpoints import LeaseLost, Step
from server.projections.contract import Projection
from server.projections.rebuild import Busy, Rebuild
from server.search.contract import SearchQuery
from server.storage.database import stopped
from server.storage.event_feed import EventFeed, reached
from tests.support.reading import ADA, GRACE, Library, library, message_of, reply_of
from tests.support.waiting import wait_until

COLLECTIONS = ("transcript", "conversation_list", "search")


@pytest.fixture
async def house(mongodb_url: str) -> AsyncGenerator[Library]:
    """Give a database of the test's own."""
    async with library(mongodb_url) as found:
        yield found


async def find(house: Library, text: str, reader: str = ADA) -> list[str]:
    """The ids of the messages that somebody finds."""
    found = await house.engine.search(SearchQuery(reader=reader, text=text))
    return [hit.id for hit in found.hits]


async def test_what_was_there_before_is_built_at_first(house: Library) -> None:
    """A projection that was never built is built from all stored events."""
    conversation = await house.begin()
    message = message_of(await house.say(conversation, "The observatory is closed"))
    async with house.following():
        assert await find(house, "observatory") == [message]


async def test_what_happens_later_is_followed(house: Library) -> None:
    """Messages, and who may read them."""
    conversation = await house.begin()
    async with house.following():
        message = message_of(await house.say(conversation, "The observatory is closed"))
        await house.until_followed()
        assert await find(house, "observatory") == [message]
        assert await find(house, "observatory", GRACE) == []
        await house.change(conversation, members=[GRACE])
        await house.until_followed()
        assert await find(house, "observatory", GRACE) == [message]
        await house.change(conversation, members=[])
        await house.until_followed()
        assert await find(house, "observatory", GRACE) == []
        await house.delete(conversation)
        await house.until_followed()
        assert await find(house, "observatory") == []


async def test_the_transcript_is_what_was_written_with_the_events(house: Library) -> None:
    """The events alone make the same messages, and each knows its language, its topics and its mood."""
    async with house.following("transcript"):
        conversation = await house.begin()
        said = await house.say(conversation, "What a wonderful day it is in the garden", reply=True)
        await house.say(conversation, "¿Qué hora es en Madrid?")
        await house.end(conversation, reply_of(said), "Las tres")
        await house.until_followed("transcript")
    rows = await house.rows("transcript")
    versions = [row.pop("version") for row in rows]
    added = [{name: row.pop(name, None) for name in ("language", "topics", "sentiment")} for row in rows]
    assert rows == await house.rows("messages")
    assert versions == [2, 7, 5]
    assert [(row["usage"] or {}).get("output") for row in rows] == [None, len("Las tres"), None]
    assert [(row["cost"], row["timing"]) for row in rows] == [
        (None, None),
        (0.25, {"queued_ms": 1, "first_token_ms": 2, "total_ms": 3}),
        (None, None),
    ]
    assert [added[0]["language"], added[2]["language"]] == ["en", "es"]
    assert "garden" in added[0]["topics"]
    assert added[0]["sentiment"] > 0.3
    assert added[2]["sentiment"] is None


async def test_a_rebuild_is_the_same(house: Library) -> None:
    """Field by field, for every projection."""
    async with house.following():
        for number in range(5):
            conversation = await house.begin(members=[GRACE] if number % 2 else [])
            for words in ("The moon is full", "La luna está llena", "ok"):
                await house.say(conversation, f"{words} {number}", reply=number == 3)
        await house.until_followed()
        followed = {name: await house.rows(name) for name in COLLECTIONS}
        for name in house.projections:
            await house.rebuild(name).run()
        assert {name: await house.rows(name) for name in COLLECTIONS} == followed
        # And it goes on from there.
        message = message_of(await house.say(conversation, "after the rebuild"))
        await house.until_followed()
        assert await find(house, "rebuild") == [message]


async def test_a_rebuild_is_no_pause(house: Library) -> None:
    """Who reads is served all the while; what is written meanwhile is neither lost nor late for ever."""
    conversation = await house.begin()
    first = message_of(await house.say(conversation, "an early moon"))
    async with house.following("search"):
        stopping = asyncio.Event()
        missing: list[list[str]] = []

        async def read() -> None:
            while not stopping.is_set():
                found = await find(house, "early")
                if found != [first]:
                    missing.append(found)

        async def write() -> None:
            for number in range(40):
                await house.say(conversation, f"a later moon {number}")

        reading = asyncio.create_task(read())
        writing = asyncio.create_task(write())
        for _ in range(3):
            await house.rebuild("search").run()
        await writing
        await house.until_followed("search")
        stopping.set()
        await reading
        assert missing == []
        found = await house.engine.search(SearchQuery(reader=ADA, text="later", limit=100))
        assert found.total == 40


async def test_one_process_at_a_time(house: Library) -> None:
    """The second waits until the first has let go, or has not been heard of for the length of a lease."""
    await house.rebuild("search").run()
    async with house.following("search", holder="first"):
        assert await house.checkpoints.take("search", "second") is None
    held = await house.checkpoints.take("search", "second")
    assert held is not None


async def test_a_lease_runs_out(mongodb_url: str) -> None:
    """A holder that died does not keep it; one that comes back cannot move the checkpoint any more."""
    async with library(mongodb_url, lease_seconds=0.2) as house:
        first = await house.checkpoints.take("search", "first")
        assert first is not None

        async def taken() -> bool:
            return await house.checkpoints.take("search", "second") is not None

        await wait_until(taken)
        with pytest.raises(LeaseLost):
            await house.checkpoints.save(first, Step({"_data": "old"}))


async def test_a_sleeper_changes_nothing(house: Library) -> None:
    """Somebody reads events, sleeps while another goes on, and wakes up: no row goes back, nor does the checkpoint."""
    sleeper = house.follower("transcript", "sleeper")
    conversation = await house.begin()
    await house.rebuild("transcript").run()
    hold = await house.checkpoints.take("transcript", "sleeper")
    assert hold is not None
    assert hold.token is not None
    reply = reply_of(await house.say(conversation, "while it slept", reply=True))
    async with EventFeed().changes(hold.token) as changes:
        heard = await changes.batch(10)
    await house.checkpoints.release(hold)
    await house.end(conversation, reply, "It slept well")
    async with house.following(holder="another"):
        pass
    rows = {name: await house.rows(name) for name in COLLECTIONS}
    for name in house.projections:
        await house.projections[name].apply(heard.facts, "live")
    assert {name: await house.rows(name) for name in COLLECTIONS} == rows
    with pytest.raises(LeaseLost):
        await sleeper._take_in(hold, heard)


@pytest.mark.parametrize("name", ["transcript", "conversations"])
async def test_what_is_read_is_whole_while_it_is_rebuilt(house: Library, name: str) -> None:
    """The old side is read until the new one is in its place: no row is missing at any moment."""
    collection = {"transcript": "transcript", "conversations": "conversation_list"}[name]
    for _ in range(3):
        await house.say(await house.begin(), "moon")
    async with house.following(name):
        whole, stopping = len(await house.rows(collection)), asyncio.Event()
        seen: set[int] = set()

        async def read() -> None:
            while not stopping.is_set():
                seen.add(len(await house.rows(collection)))

        reading = asyncio.create_task(read())
        for _ in range(3):
            await house.rebuild(name).run()
        stopping.set()
        await reading
    assert whole == 3
    assert seen == {3}


async def test_a_place_that_the_database_has_forgotten(house: Library) -> None:
    """It is rebuilt by itself from all events, and the log says so aloud."""
    conversation = await house.begin()
    await house.say(conversation, "one moon")
    async with house.following("search"):
        pass
    document = await house.client[house.name]["projections"].find_one({"_id": "search"})
    assert document
    # The place of something that is not in the log of events (any more).
    async with await house.client[house.name]["messages"].watch() as stream:
        await house.say(conversation, "another moon")
        elsewhere: dict[str, Any] = (await stream.next())["_id"]
    await house.client[house.name]["projections"].update_one(
        {"_id": "search"}, {"$set": {"token": elsewhere}}
    )
    await house.say(conversation, "two moons")

    async def found_both() -> bool:
        return len(await find(house, "moon moons")) == 3

    async def rebuilt() -> bool:
        now = await house.client[house.name]["projections"].find_one({"_id": "search"})
        return now is not None and now["rebuilt_at"] > document["rebuilt_at"]

    with capture_logs() as said:
        task = asyncio.create_task(house.follower("search").run())
        try:
            await wait_until(found_both)
            await wait_until(rebuilt)
        finally:
            await stopped([task])
    loud = [one for one in said if one["log_level"] in {"warning", "error"} and "forgotten" in one["event"]]
    assert [one["projection"] for one in loud] == ["search"]


async def test_places_sort_as_what_happened(house: Library) -> None:
    """Those of events, several in one transaction among them, and those at which there is nothing."""
    conversation = await house.begin()
    async with EventFeed().changes(await EventFeed().now(), wait_ms=20) as changes:
        places = [(await changes.batch(1)).token for _ in range(3)]
        for number in range(5):
            await house.say(conversation, f"The {number}th zeppelin", reply=True)
            heard = 0
            while heard < 2:  # what was said, and the reply that is owed
                batch = await changes.batch(1)
                heard += len(batch.facts)
                places.append(batch.token)
            places += [(await changes.batch(1)).token for _ in range(3)]
    for sooner, later in pairwise(places):
        assert reached(later, sooner)
        assert later == sooner or not reached(sooner, later)


async def test_one_rebuild_at_a_time(house: Library) -> None:
    """The second is told so."""
    right = await house.checkpoints.take("search.rebuild", "somebody")
    assert right is not None
    with pytest.raises(Busy):
        await Rebuild(house.projections["search"], EventFeed(), house.checkpoints, "else").run()


async def test_a_lease_that_was_forgotten_does_not_come_back(house: Library) -> None:
    """Whoever slept while others took it and let it be forgotten, and others took it again, has not got it."""
    first = await house.checkpoints.take("search.rebuild", "first")
    assert first is not None
    for holder in ("second", "third"):
        taken = await house.checkpoints.take("search.rebuild", holder, by_force=True)
        assert taken is not None
        if holder == "second":
            await house.checkpoints.forget(taken)
    with pytest.raises(LeaseLost):
        await house.checkpoints.renew(first)


class Pausing:
    """A projection whose rebuild waits, in one of its steps, until it may go on."""

    def __init__(self, projection: Projection, step: str) -> None:
        self._projection = projection
        self._step = step
        self.waits, self.may_go_on = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._projection, name)
        return partial(self._later, found) if name == self._step else found

    async def _later(self, step: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        self.waits.set()
        await self.may_go_on.wait()
        await step(*arguments)


@pytest.mark.parametrize("name", ["transcript", "conversations", "search"])
async def test_who_sleeps_before_the_swap_disturbs_no_other_rebuild(house: Library, name: str) -> None:
    """It wakes up while another builds: what is read stays whole, and what the other one builds becomes so."""
    for _ in range(3):
        await house.say(await house.begin(), "moon")
    await house.rebuild(name).run()
    collection = {"conversations": "conversation_list"}.get(name, name)
    whole = await house.rows(collection)
    asleep, awake = house.elsewhere(lease_seconds=-1), house.elsewhere()
    one, other = Pausing(asleep.projections[name], "swap"), Pausing(awake.projections[name], "apply")
    asleep.projections[name], awake.projections[name] = cast("Any", one), cast("Any", other)
    sleeper = asyncio.create_task(asleep.rebuild(name).run())
    await one.waits.wait()
    rebuild = asyncio.create_task(awake.rebuild(name).run())
    await other.waits.wait()
    one.may_go_on.set()
    with pytest.raises(LeaseLost):
        await sleeper
    assert await house.rows(collection) == whole
    other.may_go_on.set()
    await rebuild
    assert await house.rows(collection) == whole
    names = await house.client[house.name].list_collection_names()
    assert not [found for found in names if "_next" in found]


async def test_progress_is_the_age_of_what_waits(house: Library) -> None:
    """Nothing waits: 0. Nobody follows: it grows, and nobody holds it."""
    conversation = await house.begin()
    async with house.following("search"):

        async def held() -> bool:
            [progress] = await house.checkpoints.progress(["search"])
            return (progress.lag, progress.holder) == (0, "one")

        await wait_until(held)
    await house.say(conversation, "a moon")

    async def late() -> bool:
        [progress] = await house.checkpoints.progress(["search"])
        return progress.lag > 0 and progress.holder is None

    await wait_until(late)
