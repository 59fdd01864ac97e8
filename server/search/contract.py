"""The port of search: who may find what is part of every document, and of every query.

Two engines stand behind it: MongoDB's text index, which every house has, and Meilisearch. Both take the same words:

    madrid weather      messages with any of the words; those with more of them, or rarer ones, come first
    "in the garden"     the phrase as it stands
    garden -winter      not those with this word
    gard                the last word may be unfinished

What an engine can do beyond that is its own, and it says so (`forgives`: Meilisearch takes typing errors).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from pydantic import BaseModel, Field

from server.domain.ids import ConversationId, MessageId, UserId
from server.domain.message import Role

Side = Literal["live", "next"]
"""Of an index: the one that answers, or the one that is being built to take its place."""

MAX_TOTAL = 1000
"""Matches beyond this many are not counted and cannot be paged to: whoever has so many wants better words."""


@dataclass(frozen=True, slots=True)
class SearchDocument:
    """A message as it is found. `readers` are all who may find it."""

    id: str
    conversation: str
    seq: int
    readers: tuple[str, ...]
    user: str | None
    role: Role
    text: str
    at: datetime
    language: str | None = None
    topics: tuple[str, ...] = ()
    sentiment: float | None = None


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What somebody looks for; None does not filter. `since` is included, `until` is not."""

    reader: str
    text: str
    conversation: str | None = None
    user: str | None = None
    role: Role | None = None
    since: datetime | None = None
    until: datetime | None = None
    topic: str | None = None
    language: str | None = None
    order: Literal["score", "time"] = "score"
    limit: int = 20
    offset: int = 0


class Piece(BaseModel):
    """A part of a found text, and whether it is what was looked for."""

    text: str
    hit: bool


class Hit(BaseModel):
    """A message that was found."""

    id: MessageId
    conversation: ConversationId
    title: str = Field(default="", description="The conversation's.")
    seq: int
    role: Role
    user: UserId | None
    created_at: datetime
    highlights: list[Piece] = Field(description="The place in its text, in pieces that join to an excerpt.")
    score: float | None = Field(description="The engine's own; comparable within one answer only.")
    language: str | None = None
    topics: list[str] = []
    sentiment: float | None = Field(default=None, description="-1 to 1; null where it is not known.")


class Found(BaseModel):
    """A page of hits, and how many there are in all."""

    hits: list[Hit]
    total: int = Field(description=f"Counted up to {MAX_TOTAL}.")
    complete: bool = Field(
        default=True,
        exclude_if=bool,
        description="Told where false: a word is so frequent that only the newest messages with it were looked at.",
    )


class DirectAccess(BaseModel):
    """What a browser needs to search by itself."""

    url: str = Field(description="Of the Meilisearch that it asks: `POST {url}/indexes/{index}/search`.")
    index: str
    token: str = Field(
        description="Goes with each search as `Authorization: Bearer`; finds one's own messages only."
    )
    expires_at: datetime


class DirectSearch(Protocol):
    """For an engine that browsers may ask by themselves."""

    async def admit(self, reader: str) -> DirectAccess:
        """Let somebody search, for a while, what they may find. Errors: `Unavailable`."""
        ...


class SearchEngine(Protocol):
    """All methods raise `Unavailable` when the engine does not answer in time; all writes may be repeated."""

    name: str
    form: int
    """Of what it keeps: no two engines have the same, and one that changes its settings changes it."""

    forgives: bool
    """Whether it finds words with typing errors; that is an engine's own."""

    counts: Counter[str]
    """Of this process: `left_out`, documents that the engine will never take; `failed`, writes that it gave up."""

    async def prepare(self, side: Side) -> None:
        """Make an index ready; `next` is emptied."""
        ...

    async def put(
        self, documents: Sequence[SearchDocument], side: Side = "live", *, same_readers: bool = False
    ) -> None:
        """Add documents, or replace those of the same id. They can be found soon after this returns.

        `same_readers` says that nobody may find an earlier one who may not find this: whoever left is not looked for.
        """
        ...

    async def remove(self, messages: Sequence[str], side: Side = "live") -> None:
        """Forget messages; those that are not there are no error."""
        ...

    async def remove_conversation(self, conversation: str, side: Side = "live") -> None:
        """Forget all messages of a conversation."""
        ...

    async def readers(self, conversation: str, side: Side = "live") -> Mapping[str, int]:
        """Who finds messages of a conversation, and how many of them; nobody when nothing of it is indexed."""
        ...

    async def swap(self) -> None:
        """Put `next` in the place of `live`, in one step for those who search."""
        ...

    async def search(self, query: SearchQuery) -> Found:
        """What the reader may find."""
        ...
