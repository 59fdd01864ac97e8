"""A conversation as it stands in somebody's list: with its last message, and what this person has not read."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from server.domain.conversation import Conversation
from server.domain.ids import MessageId, UserId
from server.domain.message import Role, Status

EXCERPT = 200
"""Code points of the last message in a list."""


class LastMessage(BaseModel):
    """The last message of the chosen branch, or the beginning of it."""

    model_config = ConfigDict(extra="ignore")

    id: MessageId
    seq: int
    role: Role
    user: UserId | None
    text: str = Field(description=f"Its first {EXCERPT} characters.")
    status: Status
    created_at: datetime


class Listed(Conversation):
    """A line of the list."""

    last: LastMessage | None = None
    unread: int = Field(default=0, description="How many messages came after what this person has read.")
    pinned: bool = Field(default=False, description="Kept at the top by this person.")


class Place(BaseModel):
    """Where a person is in a conversation. What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    read: int | None = Field(default=None, ge=0, description="The `seq` of the last message read.")
    pinned: bool | None = None


def unread(last_seq: int, read: int, said: int) -> int:
    """How many came after what one has read, or said oneself: `seq` has no holes, so it counts."""
    return max(0, last_seq - max(read, said))


def topic_of(user: str) -> str:
    """The topic on which somebody's list is kept up to date."""
    return f"list:{user}"


def owner_of(topic: str) -> str | None:
    """Whose list a topic is; None when it is a conversation."""
    return topic.removeprefix("list:") if topic.startswith("list:") else None
