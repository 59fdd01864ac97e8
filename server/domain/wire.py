"""What clients see of a conversation: one struct per event type, as in docs/protocol.md.

The log adds `offset` (and the outbox `from`), so these bodies are complete but for that.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """The base of all: `type` is the tag."""

    conversation: str

    def body(self) -> bytes:
        """The JSON that goes into the log."""
        return _encoder.encode(self)


class MessageBody(msgspec.Struct, frozen=True, kw_only=True):
    """A message by a person, or a character's greeting."""

    id: str
    conversation: str
    seq: int
    role: str
    user: str | None
    text: str
    status: str
    created_at: datetime
    reply_to: str | None = None
    key: str | None = None


class UsageBody(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens; `exact` when the provider counted them."""

    input: int
    output: int
    exact: bool


class TimingBody(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds: accepted to started, started to the first token, accepted to the end."""

    queued_ms: int
    first_token_ms: int | None
    total_ms: int


class MessageCreated(Event, frozen=True, tag="message.created"):
    """Somebody wrote something."""

    message: MessageBody


class ReplyQueued(Event, frozen=True, tag="reply.queued"):
    """An answer to `message` will come; `position` is its place among those that wait, from 1."""

    reply: str
    message: str
    seq: int
    position: int
    created_at: datetime


class ReplyProgress(Event, frozen=True, tag="reply.progress", omit_defaults=True):
    """What is going on before the first token."""

    reply: str
    stage: str
    detail: str | None = None


class ReplyStarted(Event, frozen=True, tag="reply.started"):
    """A worker has it."""

    reply: str
    provider: str
    model: str
    attempt: int


class ReplyDelta(Event, frozen=True, tag="reply.delta"):
    """More text; `at` is how many code points came before it."""

    reply: str
    at: int
    text: str


class ReplyReasoning(Event, frozen=True, tag="reply.reasoning"):
    """More of the model's thinking, counted apart."""

    reply: str
    at: int
    text: str


class ReplyRestarted(Event, frozen=True, tag="reply.restarted"):
    """Text beyond the first `keep` code points is void."""

    reply: str
    attempt: int
    keep: int


class ReplyCompleted(Event, frozen=True, tag="reply.completed"):
    """The end: `sha256` is of the whole text in UTF-8."""

    reply: str
    length: int
    sha256: str
    usage: UsageBody | None
    cost: float | None
    timing: TimingBody


class ReplyFailed(Event, frozen=True, tag="reply.failed"):
    """The end: the first `length` code points are kept."""

    reply: str
    code: str
    detail: str
    length: int


class ReplyCancelled(Event, frozen=True, tag="reply.cancelled"):
    """The end, because somebody said stop."""

    reply: str
    length: int
    usage: UsageBody | None


class ConversationUpdated(Event, frozen=True, tag="conversation.updated"):
    """How it is called and conducted from now on."""

    title: str
    character: str | None
    members: list[str]
    settings: dict[str, Any]


class ConversationDeleted(Event, frozen=True, tag="conversation.deleted"):
    """No more will come."""


EVENTS: tuple[type[Event], ...] = (
    MessageCreated,
    ReplyQueued,
    ReplyProgress,
    ReplyStarted,
    ReplyDelta,
    ReplyReasoning,
    ReplyRestarted,
    ReplyCompleted,
    ReplyFailed,
    ReplyCancelled,
    ConversationUpdated,
    ConversationDeleted,
)

_Growing = ReplyDelta | ReplyReasoning
_encoder = msgspec.json.Encoder()
_growing = msgspec.json.Decoder(_Growing)
_MARKS = (b'{"type":"reply.delta"', b'{"type":"reply.reasoning"')


class DeltaMerger:
    """Merges consecutive deltas of one reply (`realtime.outbox.Merger`)."""

    def key(self, body: bytes) -> str | None:
        """Deltas of the same kind and reply may be merged."""
        if not body.startswith(_MARKS):
            return None
        delta = _growing.decode(body)
        return f"{type(delta).__name__} {delta.reply}"

    def merge(self, bodies: Sequence[bytes]) -> bytes:
        """One delta that leaves the text that all of them leave; one that tells some of it anew replaces that."""
        deltas = [_growing.decode(body) for body in bodies]
        pieces: list[str] = []
        at, length = deltas[0].at, 0
        for delta in deltas:
            if delta.at != at + length:
                kept = "".join(pieces)[: max(delta.at - at, 0)]
                at, pieces, length = min(at, delta.at), [kept], len(kept)
            pieces.append(delta.text)
            length += len(delta.text)
        return msgspec.structs.replace(deltas[0], at=at, text="".join(pieces)).body()
