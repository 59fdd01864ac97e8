"""A message: what somebody wrote, or a reply."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from server.domain.answer import Citation, Span, Timing, ToolCall, ToolResult, Usage
from server.domain.ids import ConversationId, MessageId, UserId
from server.domain.settings import ReplySettings

Role = Literal["user", "assistant"]
Status = Literal["queued", "running", "completed", "failed", "cancelled"]
ENDED: frozenset[Status] = frozenset({"completed", "failed", "cancelled"})


class NewMessage(BaseModel):
    """What somebody sends."""

    model_config = ConfigDict(extra="forbid")

    text: str
    key: str | None = Field(
        default=None, min_length=1, max_length=128, description="Makes the send idempotent."
    )
    reply: ReplySettings | Literal[False] = Field(
        default=ReplySettings(), description="Settings of this one reply, or false for none."
    )


class Edit(BaseModel):
    """What its author says instead."""

    model_config = ConfigDict(extra="forbid")

    text: str
    key: str | None = Field(
        default=None, min_length=1, max_length=128, description="Makes the edit idempotent."
    )
    reply: ReplySettings | Literal[False] = Field(
        default=ReplySettings(), description="Settings of the new reply, or false for none."
    )


class Regeneration(BaseModel):
    """How another answer is to be made."""

    model_config = ConfigDict(extra="forbid")

    key: str | None = Field(
        default=None, min_length=1, max_length=128, description="Makes the request idempotent."
    )
    settings: ReplySettings = Field(default=ReplySettings(), description="Of the new reply.")


class Archiving(BaseModel):
    """Whether a message is to be put away."""

    model_config = ConfigDict(extra="forbid")

    archived: bool = Field(default=True, description="False takes it out again.")


class Message(BaseModel):
    """A message as it stands; a reply's text is what is stored, not what is on its way."""

    model_config = ConfigDict(from_attributes=True)

    id: MessageId
    conversation: ConversationId
    seq: int = Field(ge=1, description="1, 2, 3 … in the conversation, without holes.")
    role: Role
    user: UserId | None = Field(description="Who wrote it; null for a reply.")
    text: str
    status: Status
    created_at: datetime
    reply_to: MessageId | None = Field(default=None, description="The message that a reply answers.")
    parent: MessageId | None = Field(
        default=None, description="The message before it on its branch; null for the first."
    )
    chosen: bool = Field(default=True, description="Whether it lies on the branch that is chosen now.")
    siblings: list[MessageId] = Field(
        default=[],
        description="All versions of it in the order of their birth, itself among them; empty for the only one.",
    )
    retracted: bool = Field(default=False, description="Taken back: its place stays, its text is gone.")
    archived: bool = Field(default=False, description="Put away: kept, and neither read by models nor found.")
    turns: int = Field(default=0, description="How often it was put away or taken out again.")
    key: str | None = Field(default=None, description="Its sender's name for it.")
    provider: str | None = None
    model: str | None = None
    error: str | None = Field(default=None, description="Of a failed reply: its code.")
    usage: Usage | None = Field(default=None, description="Of a reply that has ended: in tokens.")
    cost: float | None = Field(default=None, description="In US dollars; null where no price is known.")
    timing: Timing | None = Field(default=None, description="Of a reply that has ended: how long it took.")
    reasoning: str | None = Field(default=None, description="What the model thought; no part of the text.")
    tool_calls: list[ToolCall] = Field(default=[], description="What the model wants to be done.")
    tool_results: list[ToolResult] = Field(default=[], description="What came of it.")
    citations: list[Citation] = Field(default=[], description="Sources that the model named.")
    provenance: list[Span] = Field(default=[], description="Who wrote which part of the text.")


class Sent(BaseModel):
    """The answer to a send: it is stored."""

    message: MessageId
    reply: MessageId | None
    duplicate: bool
