"""Laying out prompts for Anthropic's protocol, and reading its events."""

import json
from typing import Any

import pytest

from providers.anthropic import MessageReading, alternating, system_text
from providers.contract import Delta, FinishReason, ReasoningDelta, TextDelta, ToolCallDelta, Turn, Usage
from providers.refusal import Refusals


def _read(*events: dict[str, Any]) -> tuple[MessageReading, list[Delta]]:
    reading = MessageReading(Refusals("house", None))
    return reading, [delta for event in events for delta in reading.feed(json.dumps(event).encode())]


def _start(**block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": 0, "content_block": block}


def _delta(**delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": delta}


def _end(reason: str | None, **usage: int) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


def test_thinking_stands_apart() -> None:
    """What the model thinks is no text, and its signature is neither."""
    _, deltas = _read(
        _start(type="thinking", thinking="", signature=""),
        _delta(type="thinking_delta", thinking="Hm."),
        _delta(type="signature_delta", signature="c2ln"),
        {"type": "content_block_stop", "index": 0},
        _start(type="text", text=""),
        _delta(type="text_delta", text="Yes."),
    )
    assert deltas == [ReasoningDelta("Hm."), TextDelta("Yes.")]


@pytest.mark.parametrize(("pieces", "whole"), [(['{"at":', "1}"], '{"at":1}'), ([], "{}")])
def test_tool_calls_are_assembled(pieces: list[str], whole: str) -> None:
    """Pieces of arguments become one call when their block ends; no pieces mean no arguments."""
    reading, deltas = _read(
        _start(type="tool_use", id="a", name="look", input={}),
        *[_delta(type="input_json_delta", partial_json=piece) for piece in pieces],
        {"type": "content_block_stop", "index": 0},
    )
    assert deltas == [ToolCallDelta("a", "look", whole)]
    assert reading.tokens == len(pieces)


def test_the_account_is_a_running_total() -> None:
    """Cached tokens were read too; what the last account leaves out has not changed."""
    usage = {"input_tokens": 1, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 4}
    reading, _ = _read(
        {"type": "message_start", "message": {"usage": usage | {"output_tokens": 1}}},
        _end("end_turn", output_tokens=9),
    )
    assert reading.usage == Usage(35, 9, exact=True, cached=30, cache_written=4)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "tool"),
        ("refusal", "filter"),
        ("something_new", "stop"),
        (None, None),
    ],
)
def test_the_finish_reason_is_ours(said: str | None, meant: FinishReason | None) -> None:
    """Known reasons are translated, new ones mean stop, none means nothing."""
    assert _read(_end(said, output_tokens=1))[0].reason == meant


def test_unknown_events_say_nothing() -> None:
    """The protocol may grow."""
    assert _read({"type": "ping"}, {"type": "sunrise", "colour": "red"})[1] == []


def test_a_conversation_alternates() -> None:
    """Turns of one role in a row are one message, and empty ones are none."""
    turns = [
        Turn("system", "Be brief."),
        Turn("user", "One."),
        Turn("user", "Two."),
        Turn("assistant", " "),
        Turn("assistant", "Three."),
        Turn("system", "Be kind."),
        Turn("user", "Four."),
    ]
    assert system_text(turns) == "Be brief.\n\nBe kind."
    assert alternating(turns) == [
        {"role": "user", "content": "One.\n\nTwo."},
        {"role": "assistant", "content": "Three."},
        {"role": "user", "content": "Four."},
    ]


def test_a_greeting_does_not_come_first() -> None:
    """The user speaks first, even where a character greets."""
    messages = alternating([Turn("assistant", "Welcome!"), Turn("user", "Hello.")])
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
