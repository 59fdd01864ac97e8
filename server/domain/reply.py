"""A reply: the work of making an assistant's message. It has the message's id."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from server.domain.answer import Span, Timing, ToolCall, ToolResult, Usage
from server.domain.ids import ConversationId, MessageId, UserId
from server.domain.message import ENDED, Status
from server.domain.settings import ReplySettings


class Trouble(BaseModel):
    """Why a reply failed."""

    model_config = ConfigDict(frozen=True)

    code: str
    detail: str


class Reply(BaseModel):
    """A reply as it stands."""

    model_config = ConfigDict(from_attributes=True)

    id: MessageId
    conversation: ConversationId
    message: MessageId = Field(description="What it answers.")
    user: UserId = Field(description="Who asked.")
    status: Status
    settings: ReplySettings
    step: str = Field(
        default="accepted", description="How far it has come; of a failed one, how far it came."
    )
    attempt: int = Field(default=0, description="How many workers have taken it up.")
    provider: str | None = None
    model: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    deadline: datetime | None = Field(
        default=None, description="By when it will have ended; set when it starts."
    )
    ended_at: datetime | None = None
    cancel_requested: bool = False
    correlation: str | None = Field(default=None, description="The request or frame that asked for it.")
    cause: str | None = Field(default=None, exclude=True, description="The stored event that asked for it.")
    length: int | None = Field(default=None, description="Code points of the text.")
    sha256: str | None = Field(default=None, description="Of the text in UTF-8, in hex.")
    usage: Usage | None = None
    cost: float | None = Field(default=None, description="In US dollars; null where no price is known.")
    timing: Timing | None = None
    error: Trouble | None = None
    finish: str | None = Field(
        default=None, description="Why the model stopped: `stop`, `length`, `tool` or `filter`."
    )
    provenance: list[Span] = Field(default=[], description="Who wrote which part of the text.")
    tool_calls: list[ToolCall] = []
    tool_results: list[ToolResult] = []

    @property
    def ended(self) -> bool:
        """Whether it is completed, failed or cancelled."""
        return self.status in ENDED
