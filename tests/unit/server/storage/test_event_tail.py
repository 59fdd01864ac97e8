"""Whoever follows hears everything, alone or with others, however he comes to sit with them."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.errors import Unavailable
from server.domain.events import MessageRetracted
from server.storage.database import stopped
from server.storage.event_feed import EventFeed, Heard, Token, TokenLost
from server.storage.event_store import Fact
from server.storage.event_tail import EventTail, Following
from tests.support.waiting import wait_until


class Events:
    """Events in memory, and how many read them at this moment."""

    def __init__(self, chance: random.Random | None = None) -> None:
        self.chance = chance
        self.facts: list[Fact] = []
        self.readers = 0
        self.trouble: Exception | None = None
        self.closable = asyncio.Event()
        self.closable.set()

    def happen(self, count: int = 1) -> None:
        """Let so many more be committed."""
        for _ in range(count):
            name = f"evt_{len(self.facts):04}"
            event = MessageRetracted(conversation="cnv_1", at=datetime.now(UTC), message=name)
            self.facts.append(Fact(name, len(self.facts), event))

    @asynccontextmanager
    async def changes(self, after: Token, wait_ms: int = 0) -> AsyncGenerator["Reading"]:
        """As `EventFeed` does, with the number of the events before as the place."""
        self.readers += 1
        try:
            await asyncio.sleep(0)
            yield Reading(self, int(after["_data"]))
        finally:
            await self.closable.wait()
            self.readers -= 1


class Reading:
    """One reader's place."""

    def __init__(self, events: Events, place: int) -> None:
        self._events = events
        self._place = place
        self._ahead: Heard | None = None

    async def batch(self, limit: int, gather_seconds: float = 0.0) -> Heard:
        """What there is, or nothing."""
        await asyncio.sleep(0)
        if self._events.trouble is not None:
            raise self._events.trouble
        answer, self._ahead = self._ahead or self._ask(limit), None
        if (
            self._events.chance is not None
        ):  # it asks ahead, so that an answer may be old when somebody wants it
            self._ahead = self._ask(limit)
            for _ in range(self._events.chance.randrange(8)):
                await asyncio.sleep(0)
        return answer

    def _ask(self, limit: int) -> Heard:
        found = self._events.facts[self._place : self._place + limit]
        self._place += len(found)
        return Heard(found, place(self._place))


def place(number: int) -> Token:
    """Behind so many events."""
    return {"_data": f"{number:04}"}


class Listener:
    """Somebody who follows, from the first event."""

    def __init__(self, following: Following) -> None:
        self._following = following
        self.heard: list[str] = []

    async def take(self) -> None:
        """The next batch."""
        heard = await self._following.batch()
        self.heard += [fact.id for fact in heard.facts]

    async def listen(self) -> None:
        """All that comes."""
        while True:
            await self.take()

    def whole(self, events: Events) -> bool:
        """Whether nothing is missing: some may have come twice, but none before those before it."""
        return list(dict.fromkeys(self.heard)) == [fact.id for fact in events.facts]


@asynccontextmanager
async def running(events: Events) -> AsyncGenerator[EventTail]:
    """A tail that reads."""
    tail = EventTail(cast(EventFeed, events))
    task = asyncio.create_task(tail.run())
    await asyncio.sleep(0)
    try:
        yield tail
    finally:
        await stopped([task])


@asynccontextmanager
async def listening(tail: EventTail) -> AsyncGenerator[Listener]:
    """Somebody who listens while the body runs."""
    async with tail.following(place(0)) as following:
        listener = Listener(following)
        task: asyncio.Task[Any] = asyncio.create_task(listener.listen())
        try:
            yield listener
        finally:
            await stopped([task])


@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
async def test_nothing_is_missed_on_the_way_to_the_others(seed: int) -> None:
    """Whenever somebody comes, and whatever happens while he changes from his own stream to that of all."""
    chance = random.Random(seed)
    events = Events(chance)
    async with running(events) as tail, listening(tail) as first, listening(tail) as second:
        for _ in range(chance.randrange(40)):
            events.happen(chance.randrange(3))
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
        async with listening(tail) as late:
            often = chance.choice((0.05, 0.5))
            for _ in range(chance.randrange(100)):
                events.happen(int(chance.random() < often))
                await asyncio.sleep(0)

            async def all_have_all() -> bool:
                return all(one.whole(events) for one in (first, second, late)) and events.readers == 1

            await wait_until(all_have_all)


async def test_who_is_too_slow_goes_on_alone() -> None:
    """The others do not wait for him, and he misses nothing."""
    events = Events()
    async with running(events) as tail, listening(tail) as quick, tail.following(place(0)) as following:
        slow = Listener(following)
        for _ in range(4):
            await slow.take()
        for count in range(1, 40):
            events.happen()

            async def heard(count: int = count) -> bool:
                return len(set(quick.heard)) == count

            await wait_until(heard)
        assert slow.heard == []
        while not slow.whole(events):
            await slow.take()


async def test_nobody_waits_for_the_end_of_a_stream() -> None:
    """Who has come to the others hears what they hear, however long the driver takes to close what he read alone."""
    events = Events()
    async with running(events) as tail, listening(tail) as one:
        events.closable.clear()
        events.happen()

        async def sits() -> bool:
            return events.readers == 2

        async def heard() -> bool:
            return one.whole(events)

        await wait_until(sits)
        events.happen()
        await wait_until(heard)
        assert events.readers == 2
        events.closable.set()


async def test_without_a_tail_everybody_reads_alone() -> None:
    """Nobody has to run it."""
    events = Events()
    tail = EventTail(cast(EventFeed, events))
    async with tail.following(place(0)) as following:
        alone = Listener(following)
        for _ in range(5):
            events.happen()
            await alone.take()
        assert alone.whole(events)


async def test_what_ends_the_common_stream_is_told_to_all() -> None:
    """Those who sit there hear of it, and go on; a place that only the common stream has lost is not theirs."""
    events = Events()
    async with running(events) as tail, tail.following(place(0)) as following:
        one = Listener(following)
        for trouble in (Unavailable("The database"), TokenLost()):
            for _ in range(4):
                await one.take()
            events.trouble = trouble
            with pytest.raises(type(trouble)):
                await asyncio.wait_for(one.listen(), 30)
            events.trouble = None
            events.happen()
        async with asyncio.timeout(30):
            while not one.whole(events):
                await one.take()


async def test_what_nobody_can_read_does_not_end_whoever_reads_for_all() -> None:
    """Those who sit there hear of that, and try again: there, and not each alone from then on."""
    events = Events()
    async with running(events) as tail:
        async with tail.following(place(0)) as following:
            one = Listener(following)
            for _ in range(4):
                await one.take()
            events.trouble = ValueError("of another version")
            with pytest.raises(ValueError, match="of another version"):
                await asyncio.wait_for(one.listen(), 30)
        events.trouble = None
        async with listening(tail) as another, listening(tail) as third:

            async def together() -> bool:
                return another.whole(events) and third.whole(events) and events.readers == 1

            events.happen()
            await wait_until(together)
