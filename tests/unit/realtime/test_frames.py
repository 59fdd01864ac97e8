"""Ready frames: what is written to a socket without a second encoding."""

import json

import pytest
from websockets.frames import Frame, Opcode

from realtime.frames import Answer, Event, Merged, text_frame


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_a_frame_is_what_any_library_would_write(length: int) -> None:
    """Each of the three ways to write a length (RFC 6455, section 5.2), on both sides of its borders."""
    payload = b"x" * length
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


def test_an_event_says_its_offset() -> None:
    """The log's body becomes the client's JSON by adding the offset, and is encoded once."""
    event = Event("cnv_1", 7, b'{"type":"reply.delta","text":"\xc3\xb1"}')
    assert json.loads(event.text) == {"type": "reply.delta", "text": "ñ", "offset": 7}
    assert event.frame == text_frame(event.text)
    assert event.frame is event.frame


def test_a_merged_event_says_what_it_covers() -> None:
    """`from` is the first offset, so that a client sees that there is no hole."""
    merged = Merged("cnv_1", 5, 7, b'{"type":"reply.delta"}')
    assert json.loads(merged.text) == {"type": "reply.delta", "from": 5, "offset": 7}
    assert merged.frame == text_frame(merged.text)


def test_an_answer_is_sent_as_it_is() -> None:
    """What is of no log has no offset."""
    answer = Answer(b'{"type":"pong"}')
    assert answer.frame == text_frame(b'{"type":"pong"}')
