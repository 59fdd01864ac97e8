"""What people are told of their lists: each the line that he would read himself; who has left, that there is none."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from realtime.errors import Unavailable
from realtime.log.contract import Log, Record
from server.commands.announce import Announcer
from server.commands.place import MovePlace
from server.domain.errors import NotFound
from server.domain.listed import Place, topic_of
from server.projections.contract import Fact
from server.projections.conversation_list import ConversationList
from server.projections.rebuild import Rebuild
from server.storage.event_feed import EventFeed
from server.storage.list_rows import ROWS
from server.storage.lists import Lists
from server.storage.writes import Writes
from server.workers.list_notices import ListNotices
from tests.support.reading import ADA, GRACE, Library, library, message_of, reply_of
from tests.support.waiting import wait_until

LINUS = "usr_linus"


@dataclass
class Told:
    """A log that keeps what it is told, by topic."""

    heard: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    away: bool = False

    async def append(self, topic: str, records: Sequence[Record]) -> list[object]:
        """As the log's."""
        await self.append_many([(topic, records)])
        return []

    async def append_many(self, records: Sequence[tuple[str, Sequence[Record]]]) -> None:
        """As the log's."""
        if self.away:
            raise Unavailable
        for topic, said in records:
            self.heard.setdefault(topic, []).extend(json.loads(one.body) for one in said)


@dataclass
class Listening:
    """A house, its list of conversations, and whoever is told."""

    house: Library
    told: Told
    listed: ConversationList
    applied: set[str] = field(default_factory=set[str])

    async def follow(self) -> dict[str, list[dict[str, Any]]]:
        """Apply what has happened and was not applied yet, and say what was told of it."""
        self.told.heard = {}
        async for batch in EventFeed().stored(500):
            new = [fact for fact in batch if fact.id not in self.applied]
            await self.listed.apply(new, "live")
            self.applied |= {fact.id for fact in new}
        return self.told.heard


@pytest.fixture
async def listening(mongodb_url: str) -> AsyncGenerator[Listening]:
    """Give a database of the test's own."""
    async with library(mongodb_url) as house:
        told = Told()
        notices = ListNotices(told)  # pyright: ignore[reportArgumentType]: the one method that is asked of it
        yield Listening(house, told, ConversationList(house.client[house.name], notices))


async def read_by_hand(user: str, *conversations: str) -> list[dict[str, Any]]:
    """The notices that say what somebody would read."""
    items = [await Lists().one(user, one) for one in conversations]
    about = {"type": "list.changed", "conversation": topic_of(user)}
    return [about | {"item": item.model_dump(mode="json")} for item in items if item is not None]


async def test_everybody_is_told_what_he_would_read(listening: Listening) -> None:
    """What is unread, and what is pinned, is each one's own; the rest is what all see."""
    house = listening.house
    talk, other = await house.begin(members=[GRACE, LINUS]), await house.begin()
    await house.say(talk, "The observatory is closed", GRACE)
    reply = reply_of(await house.say(talk, "x" * 300, reply=True))
    await house.end(talk, reply, "It opens tomorrow, says " + "the keeper " * 30)
    taken_back = message_of(await house.say(talk, "Never mind", LINUS))
    await house.retract(talk, taken_back, LINUS)
    await house.say(other, "To myself")
    await Writes().set_place(GRACE, talk, Place(read=2, pinned=True))
    heard = await listening.follow()
    assert heard == {topic_of(GRACE): await read_by_hand(GRACE, talk)} | {
        topic_of(LINUS): await read_by_hand(LINUS, talk),
        topic_of(ADA): await read_by_hand(ADA, talk, other),
    }
    [line] = [said["item"] for said in heard[topic_of(GRACE)]]
    assert (line["unread"], line["pinned"], line["last"]["id"], len(line["last"]["text"])) == (
        2,
        True,
        reply,
        200,
    )
    assert [said["item"]["unread"] for said in heard[topic_of(ADA)]] == [2, 0]
    assert [said["item"]["unread"] for said in heard[topic_of(LINUS)]] == [0]


async def test_who_has_left_is_told_so(listening: Listening) -> None:
    """Once, by the change that took him out; and everybody, when it is gone altogether."""
    house = listening.house
    talk = await house.begin(members=[GRACE, LINUS])
    await house.say(talk, "hello")
    await listening.follow()
    await house.change(talk, members=[LINUS])
    heard = await listening.follow()
    gone = {"type": "list.removed", "item": talk}
    assert heard.pop(topic_of(GRACE)) == [gone | {"conversation": topic_of(GRACE)}]
    assert set(heard) == {topic_of(ADA), topic_of(LINUS)}
    await house.say(talk, "is she gone?")
    assert set(await listening.follow()) == {topic_of(ADA), topic_of(LINUS)}
    await house.delete(talk)
    assert await listening.follow() == {
        topic_of(user): [gone | {"conversation": topic_of(user)}] for user in (ADA, LINUS)
    }
    assert await house.rows(ROWS) == []


@pytest.mark.parametrize("built", [False, True], ids=["built for the first time", "built anew"])
async def test_what_happens_while_the_list_is_built_is_told_after_it(
    listening: Listening, *, built: bool
) -> None:
    """Only what is followed has listeners: it begins where the building began."""
    house, told = listening.house, listening.told
    house.projections = {listening.listed.name: listening.listed}
    left, gone = await house.begin(members=[GRACE, LINUS]), await house.begin(members=[LINUS])

    class Meanwhile(EventFeed):
        """Much happens while the stored events are read."""

        async def stored(self, batch: int) -> AsyncIterator[list[Fact]]:
            async for facts in super().stored(batch):
                yield facts
            await house.say(left, "hello")
            await house.change(left, members=[LINUS])
            await house.delete(gone)

    if built:
        await house.rebuild(listening.listed.name).run()
    await Rebuild(listening.listed, Meanwhile(), house.checkpoints, "rebuilder").run()
    assert told.heard == {}
    rows: list[list[str]] = []

    async def written() -> bool:
        rows[:] = [row["people"] for row in await house.rows(ROWS)]
        return rows == [[ADA, LINUS]]

    async with house.following():
        await wait_until(written)
    heard = {topic: {one["type"]: one["item"] for one in said} for topic, said in told.heard.items()}
    assert {topic: said["list.removed"] for topic, said in heard.items()} == {
        topic_of(ADA): gone,
        topic_of(GRACE): left,
        topic_of(LINUS): gone,
    }
    for user in (ADA, LINUS):
        assert heard[topic_of(user)]["list.changed"]["last"]["text"] == "hello"
    assert "list.changed" not in heard[topic_of(GRACE)]


async def test_who_is_gone_before_a_rebuild_comes_to_it_is_told_after_it(listening: Listening) -> None:
    """Though it finds him nowhere: that he took part, the side knows that is followed until then."""
    house, told = listening.house, listening.told
    house.projections = {listening.listed.name: listening.listed}
    left, gone = await house.begin(members=[GRACE]), await house.begin(members=[LINUS])
    await house.rebuild(listening.listed.name).run()

    class Meanwhile(EventFeed):
        """Much happens before the stored events are read."""

        async def stored(self, batch: int) -> AsyncIterator[list[Fact]]:
            await house.change(left, members=[])
            await house.delete(gone)
            async for facts in super().stored(batch):
                yield facts

    await Rebuild(listening.listed, Meanwhile(), house.checkpoints, "rebuilder").run()

    async def written() -> bool:
        return [row["people"] for row in await house.rows(ROWS)] == [[ADA]]

    async with house.following():
        await wait_until(written)
    removed = {
        topic: [one["item"] for one in said if one["type"] == "list.removed"]
        for topic, said in told.heard.items()
    }
    assert removed == {topic_of(ADA): [gone], topic_of(GRACE): [left], topic_of(LINUS): [gone]}


async def test_what_happens_while_nobody_follows_is_told_after_a_rebuild(listening: Listening) -> None:
    """As when all workers are replaced by those of another version, which builds the list anew."""
    house, told = listening.house, listening.told
    house.projections = {listening.listed.name: listening.listed}
    left, gone = await house.begin(members=[GRACE]), await house.begin(members=[LINUS])
    await house.rebuild(listening.listed.name).run()
    await house.say(left, "hello")
    await house.change(left, members=[])
    await house.delete(gone)
    await house.rebuild(listening.listed.name).run()
    assert told.heard == {}

    async def written() -> bool:
        return [row["people"] for row in await house.rows(ROWS)] == [[ADA]]

    async with house.following():
        await wait_until(written)
    assert {topic: {one["type"]: one["item"] for one in said} for topic, said in told.heard.items()} == {
        topic_of(ADA): {"list.removed": gone, "list.changed": (await read_by_hand(ADA, left))[0]["item"]},
        topic_of(GRACE): {"list.removed": left},
        topic_of(LINUS): {"list.removed": gone},
    }


async def test_who_took_part_for_a_moment_is_told_that_it_is_over(listening: Listening) -> None:
    """In and out, begun and deleted, within one batch: whoever loaded a list meanwhile has a line in it."""
    house = listening.house
    talk, gone = await house.begin(), await house.begin(members=[LINUS])
    await house.change(talk, members=[GRACE])
    await house.change(talk, members=[])
    await house.delete(gone)
    heard = await listening.follow()
    removed = {
        topic: [one["item"] for one in said if one["type"] == "list.removed"] for topic, said in heard.items()
    }
    assert removed == {topic_of(ADA): [gone], topic_of(GRACE): [talk], topic_of(LINUS): [gone]}


async def test_who_dies_before_the_row_is_written_tells_it_again(
    listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row says who took part until now: it is written last."""
    house = listening.house
    talk = await house.begin(members=[GRACE])
    await listening.follow()
    await house.change(talk, members=[])

    class Died(Exception):
        """As if it were killed."""

    async def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as dying:
        dying.setattr(ListNotices, "changed", die)
        with pytest.raises(Died):
            await listening.follow()
    assert (await listening.follow())[topic_of(GRACE)] == [
        {"type": "list.removed", "conversation": topic_of(GRACE), "item": talk}
    ]


async def test_a_log_that_is_away_holds_nothing_up(listening: Listening) -> None:
    """The rows are written, and who looks next finds them."""
    talk = await listening.house.begin()
    await listening.house.say(talk, "hello")
    listening.told.away = True
    assert await listening.follow() == {}
    [row] = await listening.house.rows(ROWS)
    assert (row["_id"], row["people"], row["last"]["text"]) == (talk, [ADA], "hello")


async def test_who_is_taken_out_as_he_moves_his_mark_gets_no_line_any_more(listening: Listening) -> None:
    """Neither as an answer nor on his devices: he was told already that there is none."""
    house, told = listening.house, listening.told
    talk = await house.begin(members=[GRACE])
    await house.say(talk, "hello")

    class TakenOut(Writes):
        """Somebody takes him out at that moment."""

        async def set_place(self, user: str, conversation: str, place: Place) -> None:
            await super().set_place(user, conversation, place)
            await house.change(conversation, members=[])
            await listening.follow()

    queue: Any = None  # nothing is given to it
    move = MovePlace(house.reads, TakenOut(), Lists(), Announcer(cast(Log, told), queue, "lane"))
    await listening.follow()
    with pytest.raises(NotFound):
        await move(GRACE, talk, Place(read=1))
    assert [one["type"] for one in told.heard[topic_of(GRACE)]] == ["list.removed"]
