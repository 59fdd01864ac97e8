"""The documents and their indexes. Each is the present state that follows from the events of its conversation.

`conversations.version` counts the events of a stream and `last_seq` its messages; both move only inside the
transaction that appends, which is what makes them gapless.
"""

from datetime import datetime
from typing import Any, ClassVar, cast

from beanie import Document
from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.asynchronous.collection import AsyncCollection

from server.domain.answer import Citation, Span, Timing, ToolCall, ToolResult, Usage
from server.domain.conversation import OpenReply
from server.domain.message import Role, Status
from server.domain.reply import Trouble
from server.domain.settings import Busy, ReplySettings
from server.storage.causal import preferred

Collection = AsyncCollection[dict[str, Any]]


class StoredDocument(Document):
    """Named by an identifier of ours (`server.domain.ids`)."""

    id: str = ""  # pyright: ignore[reportIncompatibleVariableOverride]: beanie's own default is an ObjectId

    @classmethod
    def collection(cls) -> Collection:
        """The driver's collection, for what is said better in MongoDB's own words."""
        return cast("Collection", cls.get_pymongo_collection())  # pyright: ignore[reportUnknownMemberType]: beanie's

    @classmethod
    def get_pymongo_collection(cls) -> Any:
        """The same, also for what beanie says: as the read that goes on prefers it."""
        return preferred(super().get_pymongo_collection())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]: beanie's


class CharacterDocument(StoredDocument):
    """Who answers."""

    owner: str
    name: str
    system_prompt: str
    greeting: str
    provider: str | None
    model: str | None
    settings: ReplySettings
    created_at: datetime
    updated_at: datetime

    class Settings:
        """Beanie's."""

        name = "characters"
        indexes: ClassVar = [IndexModel([("owner", ASCENDING), ("_id", DESCENDING)])]


class ConversationDocument(StoredDocument):
    """A conversation and the counters of its stream."""

    owner: str
    members: list[str]
    title: str
    character: str | None
    settings: ReplySettings
    created_at: datetime
    updated_at: datetime
    last_seq: int = 0
    head: str | None = None
    busy: Busy = "queue"
    archived: bool = False
    open: dict[str, OpenReply] = Field(default_factory=dict[str, OpenReply])
    version: int = 0
    deleted: bool = False

    class Settings:
        """Beanie's."""

        name = "conversations"
        indexes: ClassVar = [
            IndexModel([("owner", ASCENDING), ("updated_at", DESCENDING), ("_id", DESCENDING)]),
            IndexModel([("members", ASCENDING), ("updated_at", DESCENDING), ("_id", DESCENDING)]),
        ]


class PlaceDocument(StoredDocument):
    """Where a person is in a conversation: named by both, so that there is one."""

    user: str
    conversation: str
    read: int = 0
    pinned: bool = False

    BETWEEN: ClassVar = " "
    """Of the two names in the id."""

    @classmethod
    def named(cls, user: str, conversation: str) -> str:
        """The id of the one document of a person and a conversation."""
        return f"{conversation}{cls.BETWEEN}{user}"

    class Settings:
        """Beanie's."""

        name = "places"
        indexes: ClassVar = [
            IndexModel([("user", ASCENDING)], partialFilterExpression={"pinned": True}, name="pinned"),
        ]


class MessageDocument(StoredDocument):
    """A message; a reply's has the reply's id and gets its text when the reply ends.

    Messages are a tree by `parent`; `chosen` is true for exactly those between the first and the conversation's `head`.
    """

    conversation: str
    seq: int
    role: Role
    user: str | None
    text: str
    status: Status
    created_at: datetime
    reply_to: str | None = None
    parent: str | None = None
    chosen: bool = True
    siblings: list[str] = Field(default_factory=list[str])
    tip: str | None = None
    retracted: bool = False
    archived: bool = False
    turns: int = 0
    key: str | None = None
    provider: str | None = None
    model: str | None = None
    error: str | None = None
    usage: Usage | None = None
    cost: float | None = None
    timing: Timing | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCall] = Field(default_factory=list[ToolCall])
    tool_results: list[ToolResult] = Field(default_factory=list[ToolResult])
    citations: list[Citation] = Field(default_factory=list[Citation])
    provenance: list[Span] = Field(default_factory=list[Span])

    class Settings:
        """Beanie's."""

        name = "messages"
        indexes: ClassVar = [
            IndexModel([("conversation", ASCENDING), ("seq", ASCENDING)], unique=True),
            # The chosen branch, in the order of a page.
            IndexModel(
                [("conversation", ASCENDING), ("chosen", ASCENDING), ("seq", ASCENDING), ("_id", ASCENDING)]
            ),
            IndexModel(
                [("conversation", ASCENDING), ("user", ASCENDING), ("key", ASCENDING)],
                unique=True,
                partialFilterExpression={"key": {"$type": "string"}},
            ),
            IndexModel([("reply_to", ASCENDING)], partialFilterExpression={"reply_to": {"$type": "string"}}),
            # What was taken back, put away or taken out again, which voids summaries.
            IndexModel(
                [("conversation", ASCENDING), ("retracted", ASCENDING), ("seq", ASCENDING)],
                partialFilterExpression={"retracted": True},
            ),
            IndexModel(
                [("conversation", ASCENDING), ("turns", ASCENDING)],
                partialFilterExpression={"turns": {"$gt": 0}},
            ),
        ]


class ReplyDocument(StoredDocument):
    """The work on a reply. `attempt` is its fence: only the newest attempt may save."""

    conversation: str
    message: str
    user: str
    status: Status
    settings: ReplySettings
    step: str = "accepted"
    attempt: int = 0
    worker: str | None = None
    provider: str | None = None
    model: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    deadline: datetime | None = None
    ended_at: datetime | None = None
    cancel_requested: bool = False
    correlation: str | None = None
    cause: str | None = None
    length: int | None = None
    sha256: str | None = None
    usage: Usage | None = None
    cost: float | None = None
    timing: Timing | None = None
    error: Trouble | None = None
    finish: str | None = None
    provenance: list[Span] = Field(default_factory=list[Span])
    tool_calls: list[ToolCall] = Field(default_factory=list[ToolCall])
    tool_results: list[ToolResult] = Field(default_factory=list[ToolResult])

    class Settings:
        """Beanie's."""

        name = "replies"
        indexes: ClassVar = [
            IndexModel([("conversation", ASCENDING), ("status", ASCENDING)]),
            # What is still owed, for whoever sweeps.
            IndexModel(
                [("status", ASCENDING), ("created_at", ASCENDING), ("_id", ASCENDING)],
                partialFilterExpression={"status": {"$in": ["queued", "running"]}},
            ),
        ]


class UsageDocument(StoredDocument):
    """What one reply came to; it has the reply's id, so that there is one for each."""

    user: str
    conversation: str
    provider: str
    model: str
    input: int
    output: int
    exact: bool
    cost: float | None
    at: datetime

    class Settings:
        """Beanie's."""

        name = "usage"
        indexes: ClassVar = [IndexModel([("user", ASCENDING), ("at", ASCENDING)])]


class AllowanceDocument(StoredDocument):
    """What a user has of a quota; named by the user. `open` counts what is `held`; without a `day`, sum up anew."""

    day: str
    spent: int
    held: dict[str, int]
    open: int
    since: datetime

    class Settings:
        """Beanie's."""

        name = "allowances"
        indexes: ClassVar = [
            IndexModel([("open", ASCENDING)], partialFilterExpression={"open": {"$gt": 0}}),
        ]


class SummaryDocument(StoredDocument):
    """What was said up to a message, whose id it has; see `server.domain.summary`."""

    conversation: str
    seq: int
    text: str
    retracted: int
    model: str
    at: datetime

    class Settings:
        """Beanie's."""

        name = "summaries"
        indexes: ClassVar = [IndexModel([("conversation", ASCENDING), ("at", DESCENDING)])]


class EventDocument(StoredDocument):
    """A stored event: `(stream, version)` is unique, versions count 1, 2, 3 … without holes."""

    stream: str
    version: int
    type: str
    form: int = 1
    data: dict[str, Any]
    meta: dict[str, Any] = Field(default_factory=dict[str, Any])

    class Settings:
        """Beanie's."""

        name = "events"
        indexes: ClassVar = [
            IndexModel([("stream", ASCENDING), ("version", ASCENDING)], unique=True),
        ]


DOCUMENTS: list[type[StoredDocument]] = [
    CharacterDocument,
    ConversationDocument,
    PlaceDocument,
    MessageDocument,
    ReplyDocument,
    UsageDocument,
    AllowanceDocument,
    SummaryDocument,
    EventDocument,
]
