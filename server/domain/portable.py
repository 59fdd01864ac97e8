"""A conversation as it leaves and comes back: one JSON document with all its branches, or Markdown of the chosen one.

What comes back is a new conversation of whoever brings it, with new ids: what others wrote in it is kept, and who they
were is not believed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from server.domain.answer import Citation, ToolCall, ToolResult
from server.domain.branches import MAX_SIBLINGS
from server.domain.conversation import MAX_TEXT, Conversation, Title
from server.domain.errors import Invalid
from server.domain.events import ConversationCreated, Event, MessageImported
from server.domain.ids import MessageId, new_id
from server.domain.keepable import Moment
from server.domain.message import ENDED, Message, Role, Status
from server.domain.settings import ReplySettings

MAX_MESSAGES = 5_000
"""Of a conversation that is brought in: it is stored in one transaction, all of it or nothing."""

_MOST_BESIDE = 1_000
"""Calls, results or sources of one message."""


class PortableMessage(BaseModel):
    """A message. `language`, `topics` and `sentiment` are told, and not believed when it comes back."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)

    id: MessageId
    parent: MessageId | None = None
    chosen: bool = True
    role: Role
    user: str | None = None
    text: str = Field(max_length=10 * MAX_TEXT)
    status: Status = "completed"
    created_at: Moment
    reply_to: MessageId | None = None
    retracted: bool = False
    archived: bool = False
    provider: str | None = Field(default=None, max_length=64)
    model: str | None = Field(default=None, max_length=256)
    error: str | None = Field(default=None, max_length=64)
    reasoning: str | None = Field(default=None, max_length=10 * MAX_TEXT)
    tool_calls: list[ToolCall] = Field(default=[], max_length=_MOST_BESIDE)
    tool_results: list[ToolResult] = Field(default=[], max_length=_MOST_BESIDE)
    citations: list[Citation] = Field(default=[], max_length=_MOST_BESIDE)
    language: str | None = None
    topics: list[str] = []
    sentiment: float | None = None


class Portable(BaseModel):
    """The document. `messages` stand in the order in which they were written, parents before their children."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["tertulia.conversation"] = "tertulia.conversation"
    version: Literal[1] = 1
    title: Title = ""
    character: str | None = Field(default=None, description="The name of who answered; only told.")
    settings: ReplySettings = ReplySettings()
    created_at: Moment
    messages: list[PortableMessage]


def portable(
    conversation: Conversation,
    character: str | None,
    messages: list[Message],
    about: dict[str, dict[str, object]],
) -> Portable:
    """The document of a conversation; `about` is what is known of each message's text.

    The topics of what was taken back are its own words: nothing is told of it.
    """
    told = [
        PortableMessage.model_validate(one).model_copy(update={} if one.retracted else about.get(one.id, {}))
        for one in messages
    ]
    return Portable(
        title=conversation.title,
        character=character,
        settings=conversation.settings,
        created_at=conversation.created_at,
        messages=told,
    )


def markdown(document: Portable, names: Mapping[str, str]) -> str:
    """The chosen branch, for people to read; `names` are those of users, where they are known."""
    parts = [f"# {document.title or 'Conversation'}"]
    for message in document.messages:
        if not message.chosen or message.retracted or message.archived or not message.text:
            continue
        if message.role == "assistant":
            name = document.character or "Assistant"
        else:
            name = names.get(message.user or "") or message.user or "User"
        moment = message.created_at.strftime("%Y-%m-%d %H:%M")
        parts.append(f"**{name}** · {moment}\n\n{message.text.strip()}")
    return "\n\n".join(parts) + "\n"


def bring_in(document: Portable, owner: str, now: datetime) -> list[Event]:
    """A new conversation out of a document. Errors: `Invalid`, which names the place."""
    if len(document.messages) > MAX_MESSAGES:
        detail = f"At most {MAX_MESSAGES} messages can be brought in; these are {len(document.messages)}."
        raise Invalid("invalid", detail, field="messages")
    conversation = new_id("cnv")
    names = _new_names(document.messages)
    versions = _versions(document.messages, names)
    path = _path(document.messages)
    events: list[Event] = [
        ConversationCreated(
            conversation=conversation,
            at=now,
            owner=owner,
            members=[],
            title=document.title,
            character=None,
            settings=document.settings,
            busy="queue",
        )
    ]
    for seq, message in enumerate(document.messages, 1):
        siblings = versions[message.parent]
        imported = MessageImported(
            conversation=conversation,
            at=now,
            message=names[message.id],
            seq=seq,
            role=message.role,
            user=owner if message.role == "user" else None,
            text="" if message.retracted else message.text,
            status=message.status if message.status in ENDED else "cancelled",
            created_at=message.created_at,
            reply_to=names.get(message.reply_to) if message.reply_to else None,
            parent=names[message.parent] if message.parent else None,
            siblings=siblings if len(siblings) > 1 else [],
            chosen=message.id in path,
            retracted=message.retracted,
            archived=message.archived,
            provider=message.provider,
            model=message.model,
            error=message.error,
        )
        events.append(_with_what_came_beside(imported, message))
    return events


def _with_what_came_beside(imported: MessageImported, message: PortableMessage) -> MessageImported:
    """Thoughts, calls of tools, what came of them, and sources: a reply alone has them, until it is taken back."""
    if message.retracted or message.role != "assistant":
        return imported
    beside = {
        name: getattr(message, name) for name in ("reasoning", "tool_calls", "tool_results", "citations")
    }
    return imported.model_copy(update=beside)


def _new_names(messages: list[PortableMessage]) -> dict[str, str]:
    """New ids for old ones; checks that each is there once, and every parent before its children."""
    names: dict[str, str] = {}
    for place, message in enumerate(messages):
        if message.id in names:
            raise Invalid("invalid", "This message is there twice.", field=f"messages.{place}.id")
        if message.parent is not None and message.parent not in names:
            raise Invalid("invalid", "Its parent does not come before it.", field=f"messages.{place}.parent")
        names[message.id] = new_id("msg")
    return names


def _versions(messages: list[PortableMessage], names: dict[str, str]) -> dict[str | None, list[str]]:
    """The new ids of all that have the same parent: no more of them than anybody may make, for each lists them all."""
    versions: dict[str | None, list[str]] = {}
    for place, message in enumerate(messages):
        together = versions.setdefault(message.parent, [])
        if len(together) == MAX_SIBLINGS:
            detail = f"A message has at most {MAX_SIBLINGS} versions."
            raise Invalid("invalid", detail, field=f"messages.{place}.parent")
        together.append(names[message.id])
    return versions


def _path(messages: list[PortableMessage]) -> set[str]:
    """The chosen branch: from the last message that is said to be chosen, up to the first."""
    parents = {message.id: message.parent for message in messages}
    chosen = [message.id for message in messages if message.chosen]
    at: str | None = chosen[-1] if chosen else (messages[-1].id if messages else None)
    path: set[str] = set()
    while at is not None:
        path.add(at)
        at = parents[at]
    return path
