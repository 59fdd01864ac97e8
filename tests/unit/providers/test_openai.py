"""Reading the chunks of OpenAI's protocol."""

import json
from typing import Any

import pytest

from providers.config import ProviderConfig
from providers.contract import Delta, FinishReason, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from providers.openai import ChatReading, OpenAIProvider, limit_field
from providers.refusal import Refusals


def _read(*chunks: dict[str, Any]) -> tuple[ChatReading, list[Delta]]:
    reading = ChatReading(Refusals("house", None))
    return reading, [delta for chunk in chunks for delta in reading.feed(json.dumps(chunk).encode())]


def _chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": None}


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_stands_apart(name: str) -> None:
    """What the model thinks is no text, under either of its names."""
    _, deltas = _read(_chunk({name: "Hm."}), _chunk({"content": "Yes."}))
    assert deltas == [ReasoningDelta("Hm."), TextDelta("Yes.")]


def test_reasoning_under_both_names_is_given_once() -> None:
    """Some servers say it twice."""
    _, deltas = _read(_chunk({"reasoning_content": "Hm.", "reasoning": "Hm."}))
    assert deltas == [ReasoningDelta("Hm.")]


def test_tool_calls_are_assembled() -> None:
    """Pieces of two calls, one after the other, become two whole calls, and each piece is progress."""
    pieces = [
        {"index": 0, "id": "a", "function": {"name": "look", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"at":'}},
        {"index": 0, "function": {"arguments": "1}"}},
        {"index": 1, "id": "b", "function": {"name": "wait", "arguments": "{}"}},
    ]
    reading, deltas = _read(*[_chunk({"tool_calls": [piece]}) for piece in pieces])
    assert deltas == []
    assert reading.tokens == len(pieces)
    deltas = reading.feed(json.dumps(_chunk({}, "tool_calls")).encode())
    assert deltas == [ToolCallDelta("a", "look", '{"at":1}'), ToolCallDelta("b", "wait", "{}")]
    assert reading.reason == "tool"


@pytest.mark.parametrize(
    ("said", "meant"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "filter"), ("eos", "stop"), ("", None)],
)
def test_the_finish_reason_is_ours(said: str, meant: FinishReason | None) -> None:
    """Known reasons are translated, new ones mean stop, an empty one means nothing."""
    assert _read(_chunk({}, said))[0].reason == meant


def test_the_last_account_counts() -> None:
    """A server that sends a running total with every chunk is understood too."""
    usages = [{"prompt_tokens": 5, "completion_tokens": count} for count in (1, 2, 3)]
    reading, _ = _read(*[_chunk({"content": "x"}) | {"usage": usage} for usage in usages])
    assert reading.usage == Usage(5, 3, exact=True)


def test_the_account_has_its_parts() -> None:
    """Of the input what was read before, of the output what was thought; neither of them null."""
    told = {"prompt_tokens": 50, "completion_tokens": 30}
    parts = {
        "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    reading, _ = _read({"choices": [], "usage": told | parts})
    assert reading.usage == Usage(50, 30, exact=True, cached=40, reasoning=20)
    reading, _ = _read({"choices": [], "usage": told | dict.fromkeys(parts)})
    assert reading.usage == Usage(50, 30, exact=True)


def test_done_ends_it() -> None:
    """The mark after the last chunk is no JSON."""
    reading, _ = _read()
    assert reading.feed(b"[DONE]") == []
    assert reading.ended
    assert reading.reason is None


async def test_the_key_is_not_in_the_provider_s_representation() -> None:
    """An engine that stands in a log line does not bring its key along."""
    provider = OpenAIProvider(ProviderConfig("house", "openai", api_key="geheim"))
    assert "geheim" not in repr(provider)
    await provider.aclose()


@pytest.mark.parametrize(
    ("base_url", "field"),
    [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://eu.api.openai.com/v1", "max_completion_tokens"),
        ("http://127.0.0.1:1234/v1", "max_tokens"),
    ],
)
def test_the_maximum_has_two_names(base_url: str, field: str) -> None:
    """OpenAI itself wants the new name, everybody else knows the old one."""
    assert limit_field(base_url) == field
