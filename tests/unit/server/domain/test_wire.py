"""What clients see: flat JSON, and deltas that merge into one of the same meaning."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain import wire
from server.domain.wire import DeltaMerger, ReplyDelta, ReplyReasoning

CONVERSATION, REPLY = "cnv_1", "msg_2"


def delta(at: int, text: str, reply: str = REPLY) -> bytes:
    """A delta's body."""
    return ReplyDelta(conversation=CONVERSATION, reply=reply, at=at, text=text).body()


def test_an_event_is_flat_and_names_its_type_first() -> None:
    """The type comes first, so that deltas are told from all else without decoding."""
    body = delta(3, "ñ")
    assert body.startswith(b'{"type":"reply.delta",')
    assert json.loads(body) == {
        "type": "reply.delta",
        "conversation": CONVERSATION,
        "reply": REPLY,
        "at": 3,
        "text": "ñ",
    }


def test_what_says_nothing_is_left_out_where_it_is_optional() -> None:
    """`detail` of a progress is there or not; `cost` of an end is null where no price is known."""
    progress = wire.ReplyProgress(conversation=CONVERSATION, reply=REPLY, stage="context")
    assert json.loads(progress.body()) == {
        "type": "reply.progress",
        "conversation": CONVERSATION,
        "reply": REPLY,
        "stage": "context",
    }
    timing = wire.TimingBody(queued_ms=1, first_token_ms=None, total_ms=2)
    completed = wire.ReplyCompleted(
        conversation=CONVERSATION, reply=REPLY, length=0, sha256="", usage=None, cost=None, timing=timing
    )
    assert json.loads(completed.body())["cost"] is None


@pytest.mark.parametrize("kind", wire.EVENTS, ids=lambda kind: kind.__name__)
def test_every_event_can_be_read_back_and_refuses_what_it_does_not_know(kind: type[wire.Event]) -> None:
    """A body made of an event's own schema is the event again; a field more is an error."""
    values: dict[type, Any] = {
        str: "x",
        int: 1,
        bool: True,
        float: 1.0,
        datetime: datetime(2026, 11, 22, tzinfo=UTC),
    }
    event = kind(**{field.name: _example(field.type, values) for field in msgspec.structs.fields(kind)})
    assert msgspec.json.decode(event.body(), type=kind) == event
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(event.body()[:-1] + b',"surprise":1}', type=kind)


def _example(kind: Any, values: dict[type, Any]) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind(**{field.name: _example(field.type, values) for field in msgspec.structs.fields(kind)})
    if kind in values:
        return values[kind]
    origin = getattr(kind, "__origin__", None)
    if origin is not None:
        return origin()
    return None  # all others may be null


# ── merging ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_deltas_of_one_reply_and_kind_merge() -> None:
    """Each reply's text and each reply's thinking is a text of its own; nothing else merges."""
    merger = DeltaMerger()
    reasoning = ReplyReasoning(conversation=CONVERSATION, reply=REPLY, at=0, text="x").body()
    keys = [merger.key(body) for body in (delta(0, "x"), delta(9, "y"), delta(0, "x", "msg_3"), reasoning)]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert None not in keys
    started = wire.ReplyStarted(conversation=CONVERSATION, reply=REPLY, provider="p", model="m", attempt=1)
    assert merger.key(started.body()) is None
    assert merger.key(b'{"type":"reply.deltas"}') is None


def test_a_merged_delta_has_the_first_ones_place() -> None:
    """All the text, from where the first began."""
    assert DeltaMerger().merge([delta(3, "a"), delta(4, "ñ🦉"), delta(6, "")]) == delta(3, "añ🦉")


@given(st.data())
def test_merging_changes_nothing_for_a_reader(data: st.DataObject) -> None:
    """One by one or merged, deltas leave the same text, also where some tell anew what others had told."""
    before = "x" * 4
    bodies, length = list[bytes](), len(before)
    for text in data.draw(st.lists(st.text(), min_size=1, max_size=6)):
        at = data.draw(st.one_of(st.just(length), st.integers(0, length)))
        bodies.append(delta(at, text))
        length = at + len(text)
    assert _read(before, bodies) == _read(before, [DeltaMerger().merge(bodies)])


def _read(text: str, bodies: list[bytes]) -> str:
    for body in bodies:
        event = json.loads(body)
        assert len(text) >= event["at"]
        text = text[: event["at"]] + event["text"]
    return text
