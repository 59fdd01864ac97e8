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
    parent: str | None = None
    siblings: list[str] = []
    key: str | None = None


class UsageBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens; `exact` when the provider counted them. `cached` is part of the input, `reasoning` of the output."""

    input: int
    output: int
    exact: bool
    cached: int = 0
    reasoning: int = 0


class SpanBody(msgspec.Struct, frozen=True, kw_only=True):
    """A range of the text, in code points, and where it came from."""

    provider: str
    model: str
    attempt: int
    start: int
    end: int
    outcome: str
    usage: UsageBody | None = None
    cost: float | None = None
    first_token_ms: int | None = None
    request_id: str | None = None


class CallBody(msgspec.Struct, frozen=True, kw_only=True):
    """A model's wish to have a tool used; `arguments` is JSON, as the model wrote it."""

    id: str
    name: str
    arguments: str


class CitationBody(msgspec.Struct, frozen=True, kw_only=True):
    """A source that the model named."""

    url: str = ""
    title: str = ""
    quote: str = ""


class ReasonBody(msgspec.Struct, frozen=True, kw_only=True):
    """Who had the reply before, and why no longer."""

    provider: str
    model: str
    reason: str
    detail: str


class TimingBody(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds: accepted to started, started to the first token, accepted to the end."""

    queued_ms: int
    first_token_ms: int | None
    total_ms: int


class MessageCreated(Event, frozen=True, tag="message.created"):
    """Somebody wrote something. `version`: what has a greater one was decided later (see `BranchChosen`)."""

    message: MessageBody
    version: int


class MessageEdited(Event, frozen=True, tag="message.edited"):
    """Its author said it differently: `anew` is the other version."""

    message: str
    anew: str


class MessageRetracted(Event, frozen=True, tag="message.retracted"):
    """It was taken back: its text is void."""

    message: str


class MessageArchived(Event, frozen=True, tag="message.archived"):
    """It was put away, or taken out again, unless something of more `turns` said otherwise."""

    message: str
    archived: bool
    turns: int


class BranchChosen(Event, frozen=True, tag="branch.chosen"):
    """The branch that ends with `head` is the one to show, unless something of a greater `version` said otherwise.

    `messages` are those that a client may not have; null: too many, take a snapshot.
    """

    head: str | None
    version: int
    messages: list[dict[str, Any]] | None


class ReplyQueued(Event, frozen=True, tag="reply.queued"):
    """An answer to `message` will come; `position` is its place among those that wait, from 1."""

    reply: str
    message: str
    seq: int
    position: int
    created_at: datetime
    siblings: list[str]
    version: int


class ReplyProgress(Event, frozen=True, tag="reply.progress", omit_defaults=True):
    """What is going on before the first token; with `waiting`, what the model does not get to see, and how much of that
    is in the summary that it does.
    """

    reply: str
    stage: str
    detail: str | None = None
    left_out: int | None = None
    summarized: int | None = None


class ReplyStarted(Event, frozen=True, tag="reply.started", omit_defaults=True):
    """A worker has it. Comes again when another provider takes over: `instead_of` says whose place it has."""

    reply: str
    provider: str
    model: str
    attempt: int
    notices: list[str] = []
    instead_of: ReasonBody | None = None


class ReplyToolCall(Event, frozen=True, tag="reply.tool_call"):
    """The model wants something done; `POST /v1/replies/{id}/tool-results` says what came of it."""

    reply: str
    call: CallBody


class ReplyCitation(Event, frozen=True, tag="reply.citation"):
    """The model names a source."""

    reply: str
    citation: CitationBody


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
    finish: str = "stop"
    provenance: list[SpanBody] = msgspec.field(default_factory=list[SpanBody])


class ReplyFailed(Event, frozen=True, tag="reply.failed"):
    """The end: the first `length` code points are kept."""

    reply: str
    code: str
    detail: str
    length: int
    usage: UsageBody | None
    cost: float | None
    timing: TimingBody
    provenance: list[SpanBody] = msgspec.field(default_factory=list[SpanBody])


class ReplyCancelled(Event, frozen=True, tag="reply.cancelled"):
    """The end, because somebody said stop."""

    reply: str
    length: int
    usage: UsageBody | None
    cost: float | None
    timing: TimingBody
    provenance: list[SpanBody] = msgspec.field(default_factory=list[SpanBody])


class ConversationUpdated(Event, frozen=True, tag="conversation.updated"):
    """How it is called and conducted from now on."""

    title: str
    character: str | None
    members: list[str]
    settings: dict[str, Any]
    busy: str
    archived: bool


class ConversationDeleted(Event, frozen=True, tag="conversation.deleted"):
    """No more will come."""


class ListChanged(Event, frozen=True, tag="list.changed"):
    """On the topic of somebody's list: a line of it, as it is now."""

    item: dict[str, Any]


class ListRemoved(Event, frozen=True, tag="list.removed"):
    """On the same topic: a conversation that is not theirs any more; `item` is its id."""

    item: str


EVENTS: tuple[type[Event], ...] = (
    MessageCreated,
    MessageEdited,
    MessageRetracted,
    MessageArchived,
    BranchChosen,
    ReplyQueued,
    ReplyProgress,
    ReplyStarted,
    ReplyDelta,
    ReplyReasoning,
    ReplyToolCall,
    ReplyCitation,
    ReplyRestarted,
    ReplyCompleted,
    ReplyFailed,
    ReplyCancelled,
    ConversationUpdated,
    ConversationDeleted,
    ListChanged,
    ListRemoved,
)

_Growing = ReplyDelta | ReplyReasoning
_encoder = msgspec.json.Encoder()
_growing = msgspec.json.Decoder(_Growing)
_MARKS = (b'{"type":"reply.delta"', b'{"type":"reply.reasoning"')
_UPDATED = b'{"type":"conversation.updated"'


def changes_admission(body: bytes) -> bool:
    """Whether somebody may have been taken out of the conversation by this event."""
    return body.startswith(_UPDATED)


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
