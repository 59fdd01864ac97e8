"""A conversation, and the decisions about it: from what is and what somebody wants, what happens.

Each decision takes the present state and returns events, or raises a `ChatError`. Nothing else decides.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from server.domain.answer import Timing
from server.domain.errors import Conflict, Forbidden, Invalid, NotFound
from server.domain.events import (
    ConversationArchived,
    ConversationChanged,
    ConversationCreated,
    ConversationDeleted,
    Event,
    MessageCreated,
    ReplyCancelled,
    ReplyEnded,
    ReplyInterrupted,
    ReplyRequested,
)
from server.domain.ids import CharacterId, ConversationId, MessageId, UserId, new_id
from server.domain.message import NewMessage
from server.domain.settings import Busy, ReplySettings

MAX_TEXT = 32_000
"""Code points of one message."""

MAX_WAITING = 100
"""Replies of one conversation that have not ended."""

_TITLE_LENGTH = 60
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_SIGNS = re.compile(r"^\s*(?:#{1,6}|>|[-+*])\s+|\*\*|~~|`+")
"""Of Markdown: what begins a line, and what stands about words."""
_CHANGEABLE = ("title", "character", "members", "settings", "busy")
_BUSY = (
    "While a reply is being made, the next one waits (queue), is refused (reject), or stops it (interrupt)."
)

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
    busy: Busy = Field(default="queue", description=_BUSY)


class ConversationChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = None
    character: CharacterId | None = None
    members: Members | None = None
    settings: ReplySettings | None = None
    busy: Busy | None = Field(default=None, description=_BUSY)
    archived: bool | None = Field(default=None, description="Put away.")


class Conversation(BaseModel):
    """A conversation as it stands."""

    model_config = ConfigDict(from_attributes=True)

    id: ConversationId
    owner: UserId
    members: list[UserId]
    title: str = Field(description="Until somebody gives one, the beginning of the first message.")
    character: CharacterId | None
    settings: ReplySettings
    busy: Busy = Field(default="queue", description=_BUSY)
    archived: bool = Field(default=False, description="Put away.")
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
            members=_others(new.members, owner),
            title=new.title,
            character=new.character,
            settings=new.settings,
            busy=new.busy,
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
    """Rename it, change how it is conducted, put it away; members may be changed by the owner alone.

    What is as it is wanted already is no event.
    """
    state.admit(user)
    if wanted.members is not None and user != state.owner:
        raise Forbidden("forbidden", "Only its owner says who takes part.")
    said: dict[str, Any] = {
        name: value for name in _CHANGEABLE if (value := getattr(wanted, name)) is not None
    }
    if wanted.members is not None:
        said["members"] = _others(wanted.members, state.owner)
    if "character" in wanted.model_fields_set:  # nothing means none, here
        said["character"] = wanted.character
    changed = _changed(state, now, **said)
    events: list[Event] = [] if changed == _changed(state, now) else [changed]
    if wanted.archived is not None and wanted.archived != state.archived:
        events.append(ConversationArchived(conversation=state.id, at=now, archived=wanted.archived))
    return events


def _others(members: list[str], owner: str) -> list[str]:
    """Who takes part beside the owner, each once."""
    return [member for member in dict.fromkeys(members) if member != owner]


def leave(state: Conversation, user: str, now: datetime) -> list[Event]:
    """Take part no longer. Its owner cannot: nobody could say any more who does, nor delete it."""
    state.admit(user)
    if user == state.owner:
        raise Forbidden("forbidden", "Its owner cannot leave a conversation, and can delete it.")
    return [_changed(state, now, members=[member for member in state.members if member != user])]


def delete(state: Conversation, user: str, now: datetime) -> list[Event]:
    """Take it away; its owner alone may."""
    if user != state.owner:
        raise Forbidden("forbidden", "Only its owner can delete a conversation.")
    return [ConversationDeleted(conversation=state.id, at=now)]


def send(
    state: Conversation, user: str, new: NewMessage, settings: ReplySettings, now: datetime
) -> list[Event]:
    """Write a message and, unless it wants none, owe it a reply made with `settings`.

    Errors: `Forbidden`; `Invalid` for the text; `Conflict` with `busy`.
    """
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
        events = [*make_room(state, now), created]
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
        events.append(_changed(state, now, title=title_of(new.text)))
    return events


def unnamed(state: Conversation, text: str, now: datetime) -> list[Event]:
    """What comes of taking this text back: a title that was made of it goes, and the next message makes another."""
    return [_changed(state, now, title="")] if state.title and state.title == title_of(text) else []


def _changed(state: Conversation, now: datetime, **anew: Any) -> ConversationChanged:
    """As it stands, but for what is given."""
    said: dict[str, Any] = {name: getattr(state, name) for name in _CHANGEABLE} | anew
    return ConversationChanged(conversation=state.id, at=now, **said)


def make_room(state: Conversation, now: datetime) -> list[Event]:
    """What becomes of the replies that are being made when another is asked for. Errors: `Conflict` with `busy`."""
    if len(state.open) >= MAX_WAITING:
        raise Conflict("busy", f"{MAX_WAITING} replies are waiting here already.", retry_after=1.0)
    if not state.open or state.busy == "queue":
        return []
    if state.busy == "reject":
        raise Conflict("busy", "A reply is being made here: wait for its end, or stop it.", retry_after=1.0)
    return [_stop(state, reply, opened, now) for reply, opened in state.open.items()]


def _stop(state: Conversation, reply: str, opened: OpenReply, now: datetime) -> Event:
    if opened.attempt == 0:
        return never_begun(state.id, reply, opened.at, now)
    return ReplyInterrupted(conversation=state.id, at=now, reply=reply)


def never_begun(conversation: str, reply: str, accepted: datetime, now: datetime) -> ReplyCancelled:
    """The end of a reply that no worker has taken up."""
    waited = max(0, round((now - accepted).total_seconds() * 1000))
    return ReplyCancelled(
        conversation=conversation,
        at=now,
        reply=reply,
        attempt=0,
        text="",
        length=0,
        sha256=hashlib.sha256(b"").hexdigest(),
        usage=None,
        timing=Timing(queued_ms=waited, first_token_ms=None, total_ms=waited),
    )


def open_after(state: Conversation, events: Sequence[Event]) -> dict[str, int]:
    """The replies that have not ended after some more events, with their places."""
    left = {reply: opened.seq for reply, opened in state.open.items()}
    for event in events:
        if isinstance(event, ReplyRequested):
            left[event.reply] = event.seq
        elif isinstance(event, ReplyEnded):
            left.pop(event.reply, None)
    return left


def first_in_line(places: Mapping[str, int]) -> str | None:
    """The reply that is made now, or is to be made next: a conversation's replies are made one after the other."""
    return min(places, key=lambda reply: places[reply], default=None)


def check_text(text: str) -> None:
    """Errors: `Invalid` with `text_empty` or `text_too_long`."""
    if not text.strip():
        raise Invalid("text_empty", "There is nothing in this message.", field="text")
    if len(text) > MAX_TEXT:
        detail = f"A message has at most {MAX_TEXT} characters; this one has {len(text)}."
        raise Invalid("text_too_long", detail, field="text")


def title_of(text: str) -> str:
    """A title out of the first message: its first line without Markdown's signs, cut at a word. Of nothing, nothing."""
    said = next(iter(text.strip().splitlines()), "")
    line = " ".join(_SIGNS.sub("", _LINK.sub(r"\1", said)).split()) or " ".join(said.split())
    if len(line) <= _TITLE_LENGTH:
        return line
    cut = line[:_TITLE_LENGTH].rsplit(" ", 1)[0] if " " in line[:_TITLE_LENGTH] else line[:_TITLE_LENGTH]
    return cut.rstrip(".,;:¡¿!? ") + "…"


def missing() -> NotFound:
    """The error for a conversation that is not there (any more)."""
    return NotFound("conversation")
