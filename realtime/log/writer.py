"""Growing drafts at a cost that follows the time on screen, not the number of tokens.

Writing never waits: a piece of text goes into the draft's buffer, and one loop for all drafts of the process appends
what has gathered, in one round trip, at once when it was idle and then at most every 25 ms: later when many drafts grow
(8 ms for each, up to 125 ms) and when the engine is slow (the pause is never shorter than the last append took). What
somebody waits for, the beginning of a text and its end, does not wait for the end of the pause, and takes nobody else's
text along. While the engine is away, text gathers up to a bound; `room` is where the producer waits then. Where one
server of a cluster is away, its drafts alone are tried apart from all others, which would wait for it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from weakref import WeakSet

import structlog

from realtime.errors import DraftLost, StaleWriter, Unavailable
from realtime.log.contract import Close, Grow, Log, Open, Position, Record, Tell
from realtime.log.rounds import Rounds

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS = 0.025
_LONGEST_PAUSE_SECONDS = 1.0
_REST_SECONDS = 1.0
"""How long a draft whose server is away is left alone, while those of other servers are appended to."""
_MOST_WAITING = 64 * 1024
"""Code points of one draft that may wait to be appended."""

Body = Callable[[int, str], bytes]
"""From a position in code points and a text to the event that says so."""


@dataclass(slots=True)
class _Text:
    """Pieces that will be appended as one event; `body` tells which kind."""

    body: Body
    grows: bool
    at: int
    pieces: list[str]


class DraftWriter:
    """One attempt's hold on one draft: open it, write, close it.

    `kept` is the text that an earlier attempt leaves to this one. A writer that is `held` may be written to before it
    is opened: nothing is told until then.

    Every method raises `StaleWriter` once a newer attempt has taken over, and `DraftLost` where it was not opened.
    """

    def __init__(
        self,
        publisher: "Publisher",
        topic: str,
        draft: str,
        attempt: int,
        kept: str = "",
        *,
        held: bool = False,
    ) -> None:
        self._publisher = publisher
        self._number = next(publisher.numbers)
        self.topic = topic
        self.draft = draft
        self.attempt = attempt
        self.length = len(kept)
        self._kept = kept
        self._held = held
        self._opening: Record | None = None
        self._waiting: list[_Text | Record] = []
        self._waiting_length = 0
        self._in_flight = 0
        """So many of what waits may be in the log already: they are not added to."""
        self._body: Body | None = None
        self._appended: list[str] = [kept] if kept else []
        self._size = len(kept.encode())
        self._error: StaleWriter | DraftLost | None = None
        self._changed = asyncio.Event()

    def open(self, body: bytes, header: bytes, *events: bytes) -> None:
        """Take the draft over, with the text that is kept; `body`, then `events`, are told before all else."""
        self._check()
        self._opening = Record(body, Open(self.draft, self.attempt, header))
        taking = replace(self._opening, change=Open(self.draft, self.attempt, header, self._kept))
        self._waiting[:0] = [taking, *(self._telling(event) for event in events)]
        self._held = False
        self._publisher.hurry(self)

    def begin_again(self, body: bytes, header: bytes, text: str) -> None:
        """The draft is `text` from here on, and its header another."""
        self._opening = Record(body, Open(self.draft, self.attempt, header))
        self._add(Record(body, Open(self.draft, self.attempt, header, text)))
        self.length = len(text)
        self._publisher.hurry(self)

    def event(self, body: bytes) -> None:
        """An event that leaves the draft as it is, after everything written before."""
        self._add(self._telling(body))

    def _telling(self, body: bytes) -> Record:
        return Record(body, Tell(self.draft, self.attempt))

    def write(self, text: str, body: Body) -> None:
        """More of the draft's text."""
        self._check()
        self._body = body
        begins = self.length == len(self._kept)
        self._gather(text, body, self.length, grows=True)
        self.length += len(text)
        if begins:
            self._publisher.grows(self, still=True)
            self._publisher.hurry(self)

    def aside(self, text: str, body: Body, at: int) -> None:
        """Text that is streamed beside the draft and no part of it; `at` counts by itself."""
        self._check()
        self._gather(text, body, at, grows=False)
        if at == 0:
            self._publisher.grows(self, still=True)

    def close(self, body: bytes) -> None:
        """The last event; the draft is forgotten."""
        self._add(Record(body, Close(self.draft, self.attempt)))
        self._publisher.grows(self, still=False)
        self._publisher.hurry(self)

    def rest(self) -> float:
        """Seconds for which whoever makes the text may rest: what comes sooner is appended no sooner."""
        return self._publisher.rest(self._number)

    @property
    def full(self) -> bool:
        """Whether too much is waiting to be appended: `room` would wait."""
        return self._waiting_length > _MOST_WAITING

    async def room(self) -> None:
        """Wait while too much is waiting to be appended."""
        self._check()
        while self.full:
            await self._next_change()

    async def flush(self) -> None:
        """Wait until everything written so far is in the log. Bound this wait: the engine may be away."""
        while self._waiting:
            await self._next_change()
        self._check()

    # ── the publisher's side ─────────────────────────────────────────────────────────────────────────────────

    def records(self) -> list[Record]:
        """What waits, ready to be appended. Nothing is taken until `settle`."""
        size = self._size
        made: list[Record] = []
        for item in self._waiting:
            if isinstance(item, _Text):
                text = "".join(item.pieces)
                change = (
                    Grow(self.draft, self.attempt, size, text)
                    if item.grows
                    else Tell(self.draft, self.attempt)
                )
                size += len(text.encode()) if item.grows else 0
                made.append(Record(item.body(item.at, text), change))
            elif isinstance(item.change, Close):
                made.append(Record(item.body, Close(self.draft, self.attempt, size)))
            else:
                if isinstance(item.change, Open):
                    size = len(item.change.text.encode())
                made.append(item)
        self._in_flight = len(made)
        return made

    def settle(self, records: Sequence[Record], outcomes: Sequence[Position | Exception]) -> None:
        """Take note of what was appended: `records` are the first of what waits."""
        taken, self._waiting = self._waiting[: len(records)], self._waiting[len(records) :]
        self._in_flight = 0
        stale = next((outcome for outcome in outcomes if isinstance(outcome, StaleWriter)), None)
        if stale is not None:
            self._publisher.refused += 1
            self._fail(stale)
        else:
            for record in records:
                if isinstance(record.change, Open):
                    self._appended, self._size = [record.change.text], len(record.change.text.encode())
                elif isinstance(record.change, Grow):
                    # Refused or not, it is part of the text from here on: a lost draft begins again with all of it.
                    self._appended.append(record.change.text)
                    self._size += len(record.change.text.encode())
            lost = next((outcome for outcome in outcomes if isinstance(outcome, DraftLost)), None)
            if lost is not None:
                closing = isinstance(outcomes[-1], DraftLost) and isinstance(records[-1].change, Close)
                self._begin_again(lost, taken[-1:] if closing else [])
        left = (item for item in self._waiting if isinstance(item, _Text))
        self._waiting_length = sum(len(piece) for item in left for piece in item.pieces)
        self._changed.set()

    def _begin_again(self, lost: DraftLost, closing: list[_Text | Record]) -> None:
        """The engine lost the draft, or wrote what it never answered for: open it, and tell everybody all of it."""
        if self._opening is None:
            self._fail(lost)
            return
        again: list[_Text | Record] = [self._opening]
        if self._body is not None and self._appended:
            again.append(_Text(self._body, grows=True, at=0, pieces=["".join(self._appended)]))
        self._waiting[:0] = again + closing
        self._appended, self._size = [], 0

    def _fail(self, error: StaleWriter | DraftLost) -> None:
        self._error = error
        self._waiting.clear()

    @property
    def waits(self) -> bool:
        """Whether there is something to append."""
        return bool(self._waiting) and not self._held

    def _gather(self, text: str, body: Body, at: int, *, grows: bool) -> None:
        last = self._waiting[-1] if self._waiting else None
        joins = isinstance(last, _Text) and last.grows == grows and len(self._waiting) > self._in_flight
        if joins and isinstance(last, _Text):
            last.pieces.append(text)
        else:
            self._waiting.append(_Text(body, grows, at, [text]))
        self._waiting_length += len(text)
        self._publisher.wake(self)

    def _add(self, record: Record) -> None:
        self._check()
        self._waiting.append(record)
        self._publisher.wake(self)

    async def _next_change(self) -> None:
        self._check()
        self._changed.clear()
        await self._changed.wait()
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error


class Publisher:
    """Appends for all writers of a process. Run `run()` in a task for as long as there are writers."""

    def __init__(self, log: Log, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self._log = log
        self._shortest = pause_seconds
        self._rounds = Rounds(pause_seconds)
        self._dirty: dict[DraftWriter, None] = {}
        self._hurrying: dict[DraftWriter, None] = {}
        self.numbers = count()
        self._growing: WeakSet[DraftWriter] = WeakSet()
        """Those whose text has begun; one that is given up without an end is nobody's any more."""
        self._resting: set[DraftWriter] = set()
        """Those whose server alone is away: they are no part of the rounds, which would wait for it."""
        self._left = asyncio.Event()
        self._woken = asyncio.Event()
        self._hurried = asyncio.Event()
        self.appends = 0
        self.refused = 0
        """Appends of attempts that were not the newest any more."""

    def writer(
        self, topic: str, draft: str, attempt: int, kept: str = "", *, held: bool = False
    ) -> DraftWriter:
        """A writer for one attempt at one draft."""
        return DraftWriter(self, topic, draft, attempt, kept, held=held)

    def wake(self, writer: DraftWriter) -> None:
        """There is something to append."""
        if writer in self._resting:
            return
        self._dirty[writer] = None
        self._woken.set()

    def hurry(self, writer: DraftWriter) -> None:
        """What waits here now should not wait for the end of the pause."""
        if writer in self._resting:
            return
        self._hurrying[writer] = None
        self.wake(writer)
        self._hurried.set()

    @property
    def pause(self) -> float:
        """Seconds between two rounds, as many as drafts grow now."""
        return self._rounds.pause

    def rest(self, draft: int) -> float:
        """Seconds for which whoever makes the text of a draft may rest: until shortly before its round."""
        return self._rounds.rest(asyncio.get_running_loop().time(), draft)

    def grows(self, writer: DraftWriter, *, still: bool) -> None:
        """A draft's text has begun, or is whole."""
        (self._growing.add if still else self._growing.discard)(writer)

    async def run(self) -> None:
        """Append until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._revisit())
            await self._go_round()

    async def _go_round(self) -> None:
        loop = asyncio.get_running_loop()
        failed = 0
        while True:
            await self._woken.wait()
            self._hurried.clear()
            began = loop.time()
            writers = [writer for writer in self._next(began) if writer not in self._resting]
            try:
                away = await self._append(writers)
                failed = 0
                if away:
                    self._resting |= away
                    self._left.set()
            except Unavailable as error:
                failed += 1
                if failed == 1:
                    _log.warning("the log is away; text gathers", error=str(error), drafts=len(writers))
                for writer in writers:
                    self.wake(writer)
            now = loop.time()
            if failed:
                self._rounds.begin_at_once()
                await asyncio.sleep(min(self._shortest * 2 ** min(failed, 6), _LONGEST_PAUSE_SECONDS))
            else:
                took = min(now - began, _LONGEST_PAUSE_SECONDS)
                await self._gathering(max(self._rounds.due - now, took))

    def _next(self, now: float) -> list[DraftWriter]:
        """Whose turn it is: all that wait, where a round is due, and otherwise those that hurry."""
        if now < self._rounds.due:
            writers = list(self._hurrying)
            for writer in writers:
                self._dirty.pop(writer, None)
        else:
            writers, self._dirty = list(self._dirty), {}
            self._rounds.begin(now, max(len(writers), len(self._growing)))
        self._hurrying.clear()
        if not self._dirty:
            self._woken.clear()
        return writers

    async def _gathering(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._hurried.wait()
        except TimeoutError:
            return

    async def _revisit(self) -> None:
        """Try again what rests, apart from all others, until it is written."""
        while True:
            await self._left.wait()
            await asyncio.sleep(_REST_SECONDS)
            self._left.clear()
            trying = list(self._resting)
            try:
                away = await self._append(trying)
            except Unavailable:
                away = set(trying)
            for writer in trying:
                if writer not in away:
                    self._resting.discard(writer)
                    if writer.waits:
                        self.wake(writer)
            if self._resting:
                self._left.set()

    async def _append(self, writers: list[DraftWriter]) -> set[DraftWriter]:
        """Append what waits there; those whose server is away. Errors: `Unavailable`, where all of them are."""
        away: set[DraftWriter] = set()
        batches = [(writer, writer.records()) for writer in writers if writer.waits]
        if not batches:
            return away
        outcomes = await self._log.append_many([(writer.topic, records) for writer, records in batches])
        self.appends += 1
        for (writer, records), outcome in zip(batches, outcomes, strict=True):
            if any(isinstance(one, Unavailable) for one in outcome):
                away.add(writer)
                continue
            writer.settle(records, outcome)
            if writer.waits:
                self.wake(writer)
        return away
