"""Client frames: each kind of bad input has its documented code, and names the place."""

import json
from typing import Any

import pytest

from realtime.log.contract import Position
from realtime.session import Refused
from server.domain.settings import ReplySettings
from server.web import frames

CNV = "cnv_1"


def frame(**fields: Any) -> str:
    """A frame's text."""
    return json.dumps(fields)


def refusal(raw: str) -> Refused:
    """Why a frame is refused."""
    with pytest.raises(Refused) as caught:
        frames.decode(raw)
    return caught.value


def test_every_frame_of_the_protocol_is_understood() -> None:
    """With all its fields, and with only those that it must have."""
    assert frames.decode(frame(type="hello", id="1", token="t")) == frames.Hello(
        type="hello", id="1", token="t"
    )
    assert frames.decode(frame(type="hello")) == frames.Hello(type="hello")
    assert frames.decode(frame(type="ping", id="")).id == ""
    resume = frames.decode(frame(type="subscribe", conversation=CNV, after={"epoch": "e", "offset": 0}))
    assert isinstance(resume, frames.Subscribe)
    assert resume.position == Position("e", 0)
    fresh = frames.decode(frame(type="subscribe", conversation=CNV, after=None))
    assert isinstance(fresh, frames.Subscribe)
    assert fresh.position is None
    assert frames.decode(frame(type="unsubscribe", conversation=CNV)).type == "unsubscribe"
    assert frames.decode(frame(type="cancel", reply="msg_1")).type == "cancel"
    sent = frames.decode(frame(type="send", conversation=CNV, text="Hi"))
    assert isinstance(sent, frames.Send)
    assert (sent.reply, sent.key) == (ReplySettings(), None)
    alone = frames.decode(frame(type="send", conversation=CNV, text="Hi", key="k", reply=False))
    assert isinstance(alone, frames.Send)
    assert (alone.reply, alone.key) == (False, "k")


@pytest.mark.parametrize(
    "raw", ["", "{", "nonsense", "[]", "1", "null", '"ping"', '[{"type":"ping"}]', "{}}"]
)
def test_what_is_no_json_object_is_a_bad_frame(raw: str) -> None:
    """One frame is one JSON object."""
    assert refusal(raw).code == "bad_frame"


@pytest.mark.parametrize("kind", ["nonsense", "Hello", "", "reply.delta", "welcome", 1, None])
def test_a_type_that_is_not_in_the_table_is_unknown(kind: Any) -> None:
    """The answer carries the frame's id, as every answer does."""
    refused = refusal(frame(type=kind, id="7"))
    assert (refused.code, refused.field, refused.frame_id) == ("unknown_type", "type", "7")


SEND = {"type": "send", "conversation": CNV, "text": "Hi"}


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "type"),
        ({"type": "subscribe"}, "conversation"),
        ({"type": "subscribe", "conversation": 5}, "conversation"),
        ({"type": "subscribe", "conversation": ""}, "conversation"),
        ({"type": "subscribe", "conversation": "x" * 141}, "conversation"),
        ({"type": "subscribe", "conversation": CNV, "after": 41}, "after"),
        ({"type": "subscribe", "conversation": CNV, "after": {"epoch": "e"}}, "after.offset"),
        ({"type": "subscribe", "conversation": CNV, "after": {"epoch": "e", "offset": -1}}, "after.offset"),
        ({"type": "subscribe", "conversation": CNV, "afer": None}, "afer"),
        ({"type": "cancel"}, "reply"),
        ({"type": "hello", "token": 5}, "token"),
        ({"type": "hello", "token": "x" * 16_385}, "token"),
        ({"type": "ping", "id": 5}, "id"),
        ({"type": "ping", "id": "x" * 65}, "id"),
        ({**SEND, "text": None}, "text"),
        ({**SEND, "txt": "Hi"}, "txt"),
        ({**SEND, "key": ""}, "key"),
        ({**SEND, "key": "x" * 129}, "key"),
    ],
)
def test_a_field_that_is_wrong_is_named(said: dict[str, Any], field: str) -> None:
    """Missing, unknown, out of range or of another type: `invalid`, the place, and a sentence with a full stop."""
    refused = refusal(frame(**said))
    assert (refused.code, refused.field) == ("invalid", field)
    assert refused.detail.endswith(".")


@pytest.mark.parametrize("reply", [True, "no", {"temperature": 9}, {"temprature": 1}])
def test_wrong_settings_of_a_reply_are_invalid(reply: Any) -> None:
    """`reply` is settings, or false; the field begins with `reply`."""
    refused = refusal(frame(**SEND, reply=reply))
    assert refused.code == "invalid"
    assert refused.field
    assert refused.field.startswith("reply")


def test_the_id_is_found_in_what_is_wrong_otherwise() -> None:
    """A client can match the error to its frame whenever the frame is JSON at all."""
    assert refusal(frame(type="send", id="9")).frame_id == "9"
    assert refusal('{"type":"send","id":"9"').frame_id is None
    assert refusal(frame(type="ping", id=9)).frame_id is None
    assert refusal(frame(type="ping", id="x" * 65)).frame_id is None


@pytest.mark.parametrize(
    "raw", ['{"type":"send","text":"\\ud800"}', "{" * 5000, '{"a":' * 5000, "\x00", "\ufeff{}"]
)
def test_strange_bytes_are_refused_like_all_others(raw: str) -> None:
    """Half a surrogate pair, a thousand braces, a byte order mark: an answer, and no exception of another kind."""
    assert refusal(raw).code in {"bad_frame", "invalid"}
