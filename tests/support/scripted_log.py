"""A log and its feeds in memory, which obey the port (the contract suite holds them to it) and fail on command."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from uuid_utils import uuid7

from realtime.errors import DraftLost, StaleWriter, Unavailable
from realtime.log.contract import (
    Change,
    Draft,
    Entry,
    Grow,
    Notice,
    Open,
    Position,
    Published,
    Reading,
    Record,
    Retention,
    Tell,
)


@dataclass
class _Topic:
    epoch: str = field(default_factory=lambda: uuid7().hex)
    offset: int = 0
    entries: list[Entry] = field(default_factory=list[Entry])
    drafts: dict[str, Draft] = field(default_factory=dict[str, Draft])
    closed: dict[str, bytes | None] = field(default_factory=dict[str, bytes | None])
    """Drafts that are over; with the last record's body where one was never opened."""

    def change(self, body: bytes, change: Change | None) -> Exception | bytes | None:
        """Apply a change, or say why not; or what is to be told once more behind it."""
        if change is None:
            return None
        held = self.drafts.get(change.draft)
        if held is None and change.draft in self.closed:
            ended = self.closed[change.draft]
            if ended is None or not isinstance(change, Open) or change.attempt:
                return StaleWriter("stale")
            self.closed[change.draft] = None
            return ended
        if held and held.attempt > change.attempt:
            return StaleWriter("stale")
        if isinstance(change, Tell):
            return None
        if not isinstance(change, Open) and change.size is not None:
            text = held.text if held and held.attempt == change.attempt else None
            if text is None or len(text.encode()) != change.size:
                return DraftLost("lost")
        if isinstance(change, Open):
            self.drafts[change.draft] = Draft(change.draft, change.attempt, change.header, change.text)
        elif isinstance(change, Grow):
            assert held
            self.drafts[change.draft] = Draft(held.name, held.attempt, held.header, held.text + change.text)
        else:
            self.drafts.pop(change.draft, None)
            self.closed[change.draft] = None if held else body
        return None


class ScriptedLog:
    """`realtime.log.contract.Log`."""

    def __init__(self, retention: Retention | None = None) -> None:
        self._max_entries = (retention or Retention()).max_entries
        self._topics: dict[str, _Topic] = {}
        self.feeds: set[ScriptedFeed] = set()
        self.away = False
        """Every call raises `Unavailable`."""
        self.unreached: set[str] = set()
        """Topics whose server is away, while those of the others are not."""
        self.giving_up = asyncio.Event()
        """While it is clear, whoever asks one of these waits."""
        self.giving_up.set()
        self.asking = 0
        """How many do."""
        self.silent = False
        """What is appended is not published."""
        self.batches: list[list[Record]] = []
        """What was asked to be appended, per topic and call."""
        self.answering = asyncio.Event()
        """While it is clear, appending and reading take place and their answers do not arrive."""
        self.answering.set()
        self.reads = 0

    async def append(self, topic: str, records: Sequence[Record]) -> list[Position | Exception]:
        """See the port."""
        return (await self.append_many([(topic, records)]))[0]

    async def append_many(
        self, batches: Sequence[tuple[str, Sequence[Record]]]
    ) -> list[list[Position | Exception]]:
        """See the port."""
        self._reach()
        outcomes = [
            [Unavailable("scripted")] * len(records)
            if topic in self.unreached
            else [self._append(topic, record) for record in records]
            for topic, records in batches
        ]
        if any(topic in self.unreached for topic, _ in batches):
            self.asking += 1
            await self.giving_up.wait()
            self.asking -= 1
        if all(topic in self.unreached for topic, _ in batches):
            raise Unavailable("scripted")
        self.batches += [list(records) for _, records in batches]
        await self._answer()
        return outcomes

    async def read(self, topic: str, after: Position | None) -> Reading:
        """See the port."""
        self._reach()
        self.reads += 1
        state = self._topic(topic)
        top = Position(state.epoch, state.offset)
        reading = Reading(top, False, drafts=list(state.drafts.values()))
        if after and after.epoch == state.epoch and after.offset <= state.offset:
            missed = [entry for entry in state.entries if entry.offset > after.offset]
            if len(missed) == state.offset - after.offset:
                reading = Reading(top, True, entries=missed)
        await self._answer()
        return reading

    async def offsets(self, topics: Sequence[str]) -> list[Position | None]:
        """See the port."""
        self._reach()
        found = [self._topics.get(topic) for topic in topics]
        await self._answer()
        return [Position(state.epoch, state.offset) if state else None for state in found]

    def tell(self, notice: Notice) -> None:
        """Pass a notice on to those who follow its topic."""
        for feed in self.feeds:
            feed.publish(notice)

    def empty(self, topic: str) -> None:
        """Lose a topic."""
        self._topics.pop(topic, None)

    def go_back(self, topic: str, offset: int) -> None:
        """Lose the last writes, as an engine does whose successor had not got them yet."""
        state = self._topic(topic)
        state.offset = offset
        state.entries = [entry for entry in state.entries if entry.offset <= offset]

    def text(self, topic: str, draft: str) -> str:
        """A draft as it stands."""
        return self._topic(topic).drafts[draft].text

    def bodies(self, topic: str) -> list[bytes]:
        """All that is kept of a topic."""
        return [entry.body for entry in self._topic(topic).entries]

    def _append(self, topic: str, record: Record) -> Position | Exception:
        state = self._topic(topic)
        outcome = state.change(record.body, record.change)
        if isinstance(outcome, Exception):
            return outcome
        position = self._tell(topic, state, record.body)
        if outcome is not None:
            self._tell(topic, state, outcome)
        return position

    def _tell(self, topic: str, state: _Topic, body: bytes) -> Position:
        state.offset += 1
        state.entries = [*state.entries, Entry(state.offset, body)][-self._max_entries :]
        position = Position(state.epoch, state.offset)
        if not self.silent:
            for feed in self.feeds:
                feed.publish(Published(topic, position, body))
        return position

    def _topic(self, topic: str) -> _Topic:
        return self._topics.setdefault(topic, _Topic())

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("scripted")

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        await self.answering.wait()
        self._reach()


class ScriptedFeed:
    """`realtime.log.contract.Feed`."""

    def __init__(self, log: ScriptedLog) -> None:
        self._log = log
        self.followed: set[str] = set()
        self.confirming = asyncio.Event()
        """While it is clear, `follow` does not return."""
        self.confirming.set()
        self._queue: asyncio.Queue[Published | Notice | None] = asyncio.Queue()
        log.feeds.add(self)

    async def follow(self, topic: str) -> None:
        """See the port."""
        if self._log.away:
            raise Unavailable("scripted")
        self.followed.add(topic)
        await self.confirming.wait()

    async def unfollow(self, topic: str) -> None:
        """See the port."""
        self.followed.discard(topic)

    async def events(self) -> AsyncIterator[Published | Notice | None]:
        """See the port."""
        yield None
        while True:
            yield await self._queue.get()

    def publish(self, published: Published | Notice) -> None:
        """Deliver, if somebody follows the topic."""
        if published.topic in self.followed:
            self._queue.put_nowait(published)

    def cut(self) -> None:
        """Lose all that is on its way, and connect again."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)
