"""A conversation, and the decisions about it: from what is and what somebody wants, what happens.

Each decision takes the present state and returns events, or raises a `ChatError`. Nothing else decides.
"""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from server.domain.errors import Forbidden, Invalid, NotFound
from server.domain.events import (
    ConversationChanged,
    ConversationCreated,
    ConversationDeleted,
    Event,
    MessageCreated,
    ReplyRequested,
)
from server.domain.ids import CharacterId, ConversationId, MessageId, UserId, new_id
from server.domain.message import NewMessage
from server.domain.settings import ReplySettings

MAX_TEXT = 32_000
"""Code points of one message."""

_TITLE_LENGTH = 60

Title = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)]
Members = Annotated[list[UserId], Field(max_length=100)]


class OpenReply(BaseModel):
    """A reply that has not ended: its place, when it was accepted, and how many workers have taken it up."""

    model_config = ConfigDict(from_attributes=True)

    seq: int
    at: datetime
    attempt: int = 0


class NewConversation(BaseModel):
    """What somebody says of a new conversation; all of it may be left out."""

    model_config = ConfigDict(extra="forbid")

    title: Title = ""
    character: CharacterId | None = None
    members: Members = Field(default=[], description="Who else takes part.")
    settings: ReplySettings = ReplySettings()


class ConversationChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = None
    character: CharacterId | None = None
    members: Members | None = None
    settings: ReplySettings | None = None


class Conversation(BaseModel):
    """A conversation as it stands."""

    model_config = ConfigDict(from_attributes=True)

    id: ConversationId
    owner: UserId
    members: list[UserId]
    title: str = Field(description="Until somebody gives one, the beginning of the first message.")
    character: CharacterId | None
    settings: ReplySettings
    created_at: datetime
    updated_at: datetime
    last_seq: int = Field(default=0, description="The number of messages so far, on all branches.")
    head: MessageId | None = Field(default=None, description="The last message of the chosen branch.")
    open: dict[str, OpenReply] = Field(
        default={}, exclude=True, description="The replies that have not ended, by id."
    )

    def admit(self, user: str) -> None:
        """Check that somebody takes part. Errors: `Forbidden`."""
        if not self.admits(user):
            raise Forbidden("forbidden", "This conversation is somebody else's.")

    def admits(self, user: str) -> bool:
        """Whether somebody takes part."""
        return user == self.owner or user in self.members


def create(new: NewConversation, owner: str, greeting: str, now: datetime) -> list[Event]:
    """Begin a conversation, with its character's greeting where there is one."""
    conversation = new_id("cnv")
    events: list[Event] = [
        ConversationCreated(
            conversation=conversation,
            at=now,
            owner=owner,
            members=new.members,
            title=new.title,
            character=new.character,
            settings=new.settings,
        )
    ]
    if greeting:
        events.append(
            MessageCreated(
                conversation=conversation,
                at=now,
                message=new_id("msg"),
                seq=1,
                role="assistant",
                user=None,
                text=greeting,
            )
        )
    return events


def change(state: Conversation, user: str, wanted: ConversationChange, now: datetime) -> list[Event]:
    """Rename it, or change how it is conducted; members may be changed by the owner alone."""
    state.admit(user)
    if wanted.members is not None and user != state.owner:
        raise Forbidden("forbidden", "Only its owner says who takes part.")
    said = wanted.model_fields_set
    changed = ConversationChanged(
        conversation=state.id,
        at=now,
        title=wanted.title if wanted.title is not None else state.title,
        character=wanted.character if "character" in said else state.character,
        members=wanted.members if wanted.members is not None else state.members,
        settings=wanted.settings if wanted.settings is not None else state.settings,
    )
    return [changed]


def delete(state: Conversation, user: str, now: datetime) -> list[Event]:
    """Take it away; its owner alone may."""
    if user != state.owner:
        raise Forbidden("forbidden", "Only its owner can delete a conversation.")
    return [ConversationDeleted(conversation=state.id, at=now)]


def send(
    state: Conversation, user: str, new: NewMessage, settings: ReplySettings, now: datetime
) -> list[Event]:
    """Write a message and, unless it wants none, owe it a reply made with `settings`."""
    state.admit(user)
    check_text(new.text)
    message = new_id("msg")
    created = MessageCreated(
        conversation=state.id,
        at=now,
        message=message,
        seq=state.last_seq + 1,
        role="user",
        user=user,
        text=new.text,
        key=new.key,
        parent=state.head,
    )
    events: list[Event] = [created]
    if new.reply is not False:
        requested = ReplyRequested(
            conversation=state.id,
            at=now,
            reply=new_id("msg"),
            message=message,
            seq=state.last_seq + 2,
            user=user,
            settings=settings,
        )
        events.append(requested)
    if not state.title:
        titled = ConversationChanged(
            conversation=state.id,
            at=now,
            title=title_of(new.text),
            character=state.character,
            members=state.members,
            settings=state.settings,
        )
        events.append(titled)
    return events


def check_text(text: str) -> None:
    """Errors: `Invalid` with `text_empty` or `text_too_long`."""
    if not text.strip():
        raise Invalid("text_empty", "There is nothing in this message.", field="text")
    if len(text) > MAX_TEXT:
        detail = f"A message has at most {MAX_TEXT} characters; this one has {len(text)}."
        raise Invalid("text_too_long", detail, field="text")


def title_of(text: str) -> str:
    """A title out of the first message: its first line, cut at a word."""
    line = " ".join(text.strip().splitlines()[0].split())
    if len(line) <= _TITLE_LENGTH:
        return line
    cut = line[:_TITLE_LENGTH].rsplit(" ", 1)[0] if " " in line[:_TITLE_LENGTH] else line[:_TITLE_LENGTH]
    return cut.rstrip(".,;:¡¿!? ") + "…"


def missing() -> NotFound:
    """The error for a conversation that is not there (any more)."""
    return NotFound("conversation")
