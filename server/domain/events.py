"""What has happened: the stored facts of a conversation, in the past tense, complete enough to rebuild everything.

They are not what clients see (that is `server.domain.wire`): these are for ever, those are for now. A field is never
renamed or given another meaning; a change is a new `type`, an optional field, or a new `form` of the type, which every
older one is brought to when it is read (`server.domain.upcasting`).
"""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from server.domain.answer import Citation, Span, Timing, ToolCall, ToolResult, Usage
from server.domain.message import Role, Status
from server.domain.settings import Busy, ReplySettings


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    form: ClassVar[int] = 1
    """The version of its schema."""

    conversation: str
    at: datetime


class ConversationCreated(_Event):
    """Somebody began a conversation."""

    form: ClassVar[int] = 2

    type: Literal["conversation.created"] = "conversation.created"
    owner: str
    members: list[str]
    title: str
    character: str | None
    settings: ReplySettings
    busy: Busy


class ConversationChanged(_Event):
    """How it is called and conducted from now on."""

    form: ClassVar[int] = 2

    type: Literal["conversation.changed"] = "conversation.changed"
    title: str
    character: str | None
    members: list[str]
    settings: ReplySettings
    busy: Busy


class ConversationArchived(_Event):
    """It was put away, or taken out again."""

    type: Literal["conversation.archived"] = "conversation.archived"
    archived: bool


class ConversationDeleted(_Event):
    """Nobody can reach it any more."""

    type: Literal["conversation.deleted"] = "conversation.deleted"


class MessageCreated(_Event):
    """Somebody wrote something, after `parent`. `siblings`: where there are several versions of it, all of them."""

    form: ClassVar[int] = 2

    type: Literal["message.created"] = "message.created"
    message: str
    seq: int
    role: Role
    user: str | None
    text: str
    key: str | None = None
    parent: str | None = None
    siblings: list[str] = []


class MessageImported(_Event):
    """It was said elsewhere, and brought in with its conversation; `created_at` is when it was said."""

    type: Literal["message.imported"] = "message.imported"
    message: str
    seq: int
    role: Role
    user: str | None
    text: str
    status: Status
    created_at: datetime
    reply_to: str | None
    parent: str | None
    siblings: list[str]
    chosen: bool
    retracted: bool
    archived: bool = False
    provider: str | None
    model: str | None
    error: str | None
    reasoning: str | None = None
    tool_calls: list[ToolCall] = []
    tool_results: list[ToolResult] = []
    citations: list[Citation] = []


class MessageEdited(_Event):
    """Its author said it differently: `anew` is the other version, on a branch of its own."""

    type: Literal["message.edited"] = "message.edited"
    message: str
    anew: str


class MessageRetracted(_Event):
    """It was taken back: its text is for nobody's eyes any more."""

    type: Literal["message.retracted"] = "message.retracted"
    message: str


class MessageArchived(_Event):
    """It was put away, or taken out again; `turns` is how often that has happened to it."""

    type: Literal["message.archived"] = "message.archived"
    message: str
    archived: bool
    turns: int


class BranchChosen(_Event):
    """The conversation goes on elsewhere: after the fork, whose `seq` is `after` (0: from the beginning).

    `path` are the messages from there on; it is empty where something new follows. `left` is the first message of the
    branch that was left, and `tip` its last one, so that it can be found again.
    """

    type: Literal["branch.chosen"] = "branch.chosen"
    after: int
    path: list[str]
    head: str | None
    left: str | None
    tip: str | None


class ReplyRequested(_Event):
    """An answer to `message` is owed from now on, whatever dies. `siblings`: where there are several, all of them."""

    type: Literal["reply.requested"] = "reply.requested"
    reply: str
    message: str
    seq: int
    user: str
    settings: ReplySettings
    siblings: list[str] = []
    key: str | None = None


class ReplyRegenerated(_Event):
    """Somebody wanted another answer: `anew` is that, and the earlier one is kept beside it."""

    type: Literal["reply.regenerated"] = "reply.regenerated"
    reply: str
    anew: str


class ReplyInterrupted(_Event):
    """It is to stop, because something else was said."""

    type: Literal["reply.interrupted"] = "reply.interrupted"
    reply: str


class ReplyRestarted(_Event):
    """Another worker takes it over, for `attempt`: of the text that there is, the first `keep` code points stay."""

    type: Literal["reply.restarted"] = "reply.restarted"
    reply: str
    attempt: int
    keep: int


class ReplyStarted(_Event):
    """A worker has taken it up; attempts count from 1, and only the newest may write."""

    type: Literal["reply.started"] = "reply.started"
    reply: str
    attempt: int
    worker: str
    provider: str
    model: str
    deadline: datetime | None = None
    """By when it must have ended; the first attempt sets it for all."""


class ReplyGenerated(_Event):
    """The model has said all of it: nobody asks it again. The text stands in the end, stored by the same commit."""

    type: Literal["reply.generated"] = "reply.generated"
    reply: str
    attempt: int
    length: int
    sha256: str
    finish: str


class UsageRecorded(_Event):
    """What a reply came to, for the account of who asked; once for each that asked a model."""

    type: Literal["usage.recorded"] = "usage.recorded"
    reply: str
    user: str
    provider: str
    model: str
    usage: Usage
    cost: float | None


class _ReplyEnded(_Event):
    reply: str
    attempt: int
    text: str
    length: int
    sha256: str
    usage: Usage | None
    timing: Timing
    cost: float | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCall] = []
    citations: list[Citation] = []
    provenance: list[Span] = []


class ReplyCompleted(_ReplyEnded):
    """The whole answer."""

    type: Literal["reply.completed"] = "reply.completed"
    finish: str


class ReplyFailed(_ReplyEnded):
    """No whole answer; `text` is what there was."""

    type: Literal["reply.failed"] = "reply.failed"
    code: str
    detail: str
    step: str | None = None
    """How far it had come."""


class ReplyCancelled(_ReplyEnded):
    """Somebody said stop; `text` is what there was."""

    type: Literal["reply.cancelled"] = "reply.cancelled"


class ToolResultsGiven(_Event):
    """What came of the calls that a reply ended with."""

    type: Literal["reply.tool_results"] = "reply.tool_results"
    reply: str
    results: list[ToolResult]


ReplyEnded = ReplyCompleted | ReplyFailed | ReplyCancelled

Event = Annotated[
    ConversationCreated
    | ConversationChanged
    | ConversationArchived
    | ConversationDeleted
    | MessageCreated
    | MessageEdited
    | MessageImported
    | MessageRetracted
    | MessageArchived
    | BranchChosen
    | ReplyRequested
    | ReplyRegenerated
    | ReplyInterrupted
    | ReplyRestarted
    | ReplyStarted
    | ReplyGenerated
    | UsageRecorded
    | ReplyCompleted
    | ReplyFailed
    | ReplyCancelled
    | ToolResultsGiven,
    Field(discriminator="type"),
]
