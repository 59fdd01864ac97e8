"""The port of the conversation log.

A log is one conversation's events in one order. Every entry has an *offset* (1, 2, 3 …, without holes) within
an *epoch*; a new epoch means that earlier offsets say nothing any more (the engine lost its data or may have lost its
last writes, or the log was idle for so long that it was dropped). Appending and publishing are one atomic step, so
that the order of the log is the order of delivery (the design of Centrifugo's history broker).

Beside its entries, a log holds *drafts*: texts that grow. A reader that cannot be served from the entries gets the
drafts' texts so far, read in the same atomic step as the offset. A draft is written by one *attempt* at a time: a
record with an older attempt is refused, which fences off a worker that was thought to be dead.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a log: everything up to and including `offset` of `epoch`."""

    epoch: str
    offset: int


@dataclass(frozen=True, slots=True)
class Open:
    """Begin or take over a draft: sets its header (bytes of the caller's choosing), its text and its attempt.

    Attempt 0 announces it. Where it was closed and never opened, its end came before its beginning: nothing is opened
    then, the record is told, and the one that closed it once more behind it.
    """

    draft: str
    attempt: int
    header: bytes
    text: str = ""


@dataclass(frozen=True, slots=True)
class Grow:
    """Append `text` to a draft which must be `size` bytes of UTF-8 long before."""

    draft: str
    attempt: int
    size: int
    text: str


@dataclass(frozen=True, slots=True)
class Close:
    """Forget a draft; for as long as an idle log is kept, it cannot be opened again.

    `size`: as in `Grow`, from the one who has written it; None closes it whatever it is.
    """

    draft: str
    attempt: int
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Tell:
    """Say something of a draft and leave it as it is: not for an older attempt, nor for anybody after its end."""

    draft: str
    attempt: int


Change = Open | Grow | Close | Tell


@dataclass(frozen=True, slots=True)
class Record:
    """What a writer appends: a JSON object (without `offset`), and what it does to a draft."""

    body: bytes
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What a reader gets: the record's body at its offset."""

    offset: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft as it stands."""

    name: str
    attempt: int
    header: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """An atomic view of a log at `position`.

    `recovered`: `entries` are all that came after the asked-for position. Otherwise `entries` is empty and `drafts`
    holds what is growing now.
    """

    position: Position
    recovered: bool
    entries: list[Entry] = field(default_factory=list[Entry])
    drafts: list[Draft] = field(default_factory=list[Draft])


@dataclass(frozen=True, slots=True)
class Published:
    """A live entry, as it comes from the engine."""

    topic: str
    position: Position
    body: bytes


@dataclass(frozen=True, slots=True)
class Notice:
    """Something short for those who follow a topic now: it is no entry, has no place, and is not kept."""

    topic: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of a log is kept for those who come back; a reader from further back gets a snapshot.

    An entry goes when so many came after it, or when it is so old, whichever is first; and all of them with a log that
    nobody appends to.
    """

    max_entries: int = 4096
    """About: trimming takes whole nodes of the engine's tree."""
    max_age_seconds: int = 3600
    """About: an entry may live an eighth longer, and until something is appended after it."""
    idle_seconds: int = 3600
    """A log that nobody appended to for this long is dropped, drafts and all."""


class Log(Protocol):
    """Append, read, follow. Each method raises `Unavailable` when the engine does not answer in time."""

    async def append(self, topic: str, records: Sequence[Record]) -> list[Position | Exception]:
        """Append records in order and publish each; per record its position, or `StaleWriter` or `DraftLost`.

        A refused record changes nothing and does not keep the others from being written.
        """
        ...

    async def append_many(
        self, batches: Sequence[tuple[str, Sequence[Record]]]
    ) -> list[list[Position | Exception]]:
        """`append` for several topics in one round trip; atomic within each topic.

        Where some cannot be reached and others can, each record of those has `Unavailable` in place of a position.
        """
        ...

    async def read(self, topic: str, after: Position | None) -> Reading:
        """Everything after `after` if the log reaches back to it; otherwise the position and the drafts."""
        ...

    async def offsets(self, topics: Sequence[str]) -> list[Position | None]:
        """Where each log stands now; None for one that does not exist."""
        ...


class Feed(Protocol):
    """Live entries of the topics that one instance follows, over one connection."""

    async def follow(self, topic: str) -> None:
        """Follow a topic; returns when every later append is certain to arrive, or raises `Unavailable`."""
        ...

    async def unfollow(self, topic: str) -> None:
        """Stop following."""
        ...

    def events(self) -> AsyncIterator[Published | Notice | None]:
        """Entries and notices as they arrive; None after a reconnection: some may have been missed."""
        ...
