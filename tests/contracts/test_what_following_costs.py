"""What a batch of events costs those who follow: so many commands, however many conversations it is about."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from server.domain.errors import Unavailable
from server.domain.listed import topic_of
from server.projections.checkpoints import Hold, LeaseLost, Step
from server.projections.conversation_list import ConversationList
from server.storage.event_feed import EventFeed
from server.storage.event_store import Fact
from server.workers.list_notices import ListNotices
from tests.support.plans import commands_of, overhear
from tests.support.reading import GRACE, Library, library, reply_of

BATCH = {
    "aggregate conversations": 1,
    "update conversation_list": 1,
    "aggregate messages": 1,
    "update search": 1,
    "update transcript": 1,
    "update projections": 1,
}
NAMES = ("transcript", "conversations", "search")


class Heard:
    """A log that keeps who was told."""

    def __init__(self) -> None:
        self.topics: set[str] = set()

    async def append_many(self, records: Sequence[tuple[str, object]]) -> None:
        """As the log's."""
        self.topics |= {topic for topic, _ in records}


@pytest.fixture
async def house(mongodb_url: str) -> AsyncGenerator[Library]:
    """Give a database of the test's own that can be overheard."""
    overhear()
    async with library(mongodb_url) as house:
        yield house


async def facts(house: Library, after: Sequence[Fact] = ()) -> list[Fact]:
    """All that has happened, but for what is known."""
    known = {fact.id for fact in after}
    return [fact async for batch in EventFeed().stored(500) for fact in batch if fact.id not in known]


async def held(house: Library, *names: str) -> dict[str, Hold]:
    """The leases of projections."""
    taken = {name: await house.checkpoints.take(name, "one") for name in names or NAMES}
    return {name: hold for name, hold in taken.items() if hold is not None}


@pytest.mark.parametrize("talks", [1, 7])
async def test_a_batch_costs_so_many_commands(house: Library, talks: int) -> None:
    """For messages and ends of replies in any number of conversations with others in them, and all of these told."""
    log = Heard()
    told = ConversationList(house.client[house.name], ListNotices(log))  # pyright: ignore[reportArgumentType]: what is asked of it
    house.projections[told.name] = told
    begun = [await house.begin(members=[GRACE], title="A talk") for _ in range(talks)]
    said = [await house.say(one, "The observatory is closed", reply=True) for one in begun]
    before = await facts(house)
    for projection in house.projections.values():
        await projection.apply(before, "live")
    for conversation, events in zip(begun, said, strict=True):
        await house.end(conversation, reply_of(events), "It opens tomorrow")
        await house.say(conversation, "Then we come again")
    batch, holds = await facts(house, before), await held(house)
    log.topics.clear()

    async def take_in() -> None:
        await asyncio.gather(*(house.projections[name].apply(batch, "live") for name in NAMES))
        step = Step({"_data": "here"}, len(batch), batch[-1].id)
        await asyncio.gather(*(house.checkpoints.save_with_others(holds[name], step) for name in NAMES))

    assert await commands_of(take_in) == BATCH
    assert log.topics == {topic_of("usr_ada"), topic_of(GRACE)}
    assert len(await house.rows("search")) == talks * 3 * 2


async def test_places_are_saved_together_and_each_for_itself(house: Library) -> None:
    """Who has lost its lease hears so, and keeps nobody else from what it saves."""
    holds = await held(house)
    taken = await house.checkpoints.take("search", "another", by_force=True)
    assert taken is not None
    step = Step({"_data": "here"}, 3, "evt_1")
    saved = await asyncio.gather(
        *(house.checkpoints.save_with_others(holds[name], step) for name in NAMES), return_exceptions=True
    )
    assert [type(one) for one in saved] == [type(None), type(None), LeaseLost]
    rows = {row["_id"]: row for row in await house.rows("projections")}
    assert [rows[name].get("token") for name in NAMES] == [{"_data": "here"}, {"_data": "here"}, None]
    assert rows["transcript"]["applied"] == 3


@pytest.mark.parametrize("who", [0, 1])
async def test_who_no_longer_waits_takes_nothing_from_the_others(house: Library, who: int) -> None:
    """Neither one of those who wait, nor the first, who would have saved for all."""
    holds = await held(house)
    saving = [
        asyncio.create_task(house.checkpoints.save_with_others(holds[name], Step({"_data": "here"})))
        for name in NAMES
    ]
    await asyncio.sleep(0)
    saving[who].cancel()
    await asyncio.wait(saving)
    assert [task.cancelled() for task in saving] == [place == who for place in range(3)]
    rows = {row["_id"]: row.get("token") for row in await house.rows("projections")}
    for place, task in enumerate(saving):
        if place != who:
            assert task.result() is None
            assert rows[NAMES[place]] == {"_data": "here"}


async def test_who_has_let_go_takes_nothing_back(house: Library) -> None:
    """What is still on its way when a lease is given back does not keep others from it."""
    hold = (await held(house, "search"))["search"]
    await house.checkpoints.release(hold)
    with pytest.raises(LeaseLost):
        await house.checkpoints.save_with_others(hold, Step({"_data": "late"}))
    assert await house.checkpoints.take("search", "another") is not None


async def test_a_database_that_is_away_is_told_to_all(house: Library) -> None:
    """Nobody waits for ever for what cannot be saved."""
    holds = await held(house)
    bad = Step({"_data": "here"}, said={"$nonsense": 1})
    saved = await asyncio.gather(
        *(house.checkpoints.save_with_others(holds[name], bad) for name in NAMES), return_exceptions=True
    )
    assert [type(one) for one in saved] == [Unavailable] * 3
