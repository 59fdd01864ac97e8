"""A provider that is dead, slow, or breaks off: another one finishes the answer, as one text, and says so.

Each case prints the time to recover: from the last that the first provider said, or refused to say, to the first new
text at the client. Where it fell silent, the limit for that is a part of it.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server.embedded.engines import EngineURLs
from tests.support.client import Chat, Http, chat, http, sha256
from tests.support.full_port import full_port
from tests.support.house import API_KEY, House, new_house
from tests.support.scripted_server import ScriptedServer
from tests.support.talking_model import FINISHER, MODEL, TalkingModel, finished, spoken

LIMITS = {
    "CHAT_CONNECT_SECONDS": "1",
    "CHAT_FIRST_TOKEN_SECONDS": "1",
    "CHAT_BETWEEN_TOKENS_SECONDS": "1",
    "CHAT_BREAKER_FAILURES": "1000000",
}


@dataclass
class Place:
    """A house with a provider that is dead, and somebody in it."""

    house: House
    ada: Http
    url: str


@pytest.fixture
async def place(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> AsyncGenerator[Place]:
    """Give a house of `openai` and `lmstudio` on the talking model, and `anthropic` where nobody listens."""
    async with ScriptedServer() as gone:
        dead = gone.url
    house = new_house(
        tmp_path,
        engines,
        model,
        LMSTUDIO_BASE_URL=model.base_url,
        ANTHROPIC_BASE_URL=dead,
        ANTHROPIC_API_KEY=API_KEY,
        **LIMITS,
    )
    async with house.pair() as (web, _), http(web.url) as ada:
        yield Place(house, ada, web.url)
    assert house.bugs == []


async def _ask(
    device: Chat, conversation: str, text: str, first: str, then: str, **more: Any
) -> tuple[str, dict[str, Any]]:
    reply = {"provider": first, "fallbacks": [{"provider": then, "model": FINISHER}], **more}
    sent = await device.send(conversation, text, reply=reply)
    return sent["reply"], await device.until_end(sent["reply"])


def _recovered(device: Chat, reply: str, kept: int, since: float) -> float:
    """Seconds until the client had the first text that goes beyond what the first provider had said."""
    for frame, moment in zip(device.heard, device.heard_at, strict=True):
        is_text = frame["type"] == "reply.delta" and frame["reply"] == reply
        if is_text and frame["at"] + len(frame["text"]) > kept:
            return moment - since
    raise AssertionError("no new text came")


def _started(device: Chat) -> float:
    """When the first provider was said to have it: of one that is dead, nothing else is known."""
    return next(
        moment
        for frame, moment in zip(device.heard, device.heard_at, strict=True)
        if frame["type"] == "reply.started"
    )


@pytest.mark.parametrize(
    ("first", "text", "tokens", "reason"),
    [
        ("anthropic", "say 30 tokens", 0, "provider_unreachable"),
        ("openai", "say 30 tokens, refuse with 503", 0, "provider_overloaded"),
        ("openai", "say 0 tokens, then fall silent", 0, "provider_timeout_first_token"),
        ("openai", "say 1 tokens, then fall silent", 1, "provider_timeout_between_tokens"),
        ("openai", "say 1 tokens, then break off", 1, "provider_truncated"),
        ("openai", "say 50 tokens, then break off", 50, "provider_truncated"),
        ("openai", "say 500 tokens, then break off", 500, "provider_truncated"),
        ("lmstudio", "say 50 tokens, then end early", 50, "provider_truncated"),
        ("lmstudio", "say 500 tokens, then fall silent", 500, "provider_timeout_between_tokens"),
    ],
)
async def test_another_one_finishes(place: Place, first: str, text: str, tokens: int, reason: str) -> None:
    """One text with its exact hash, and each part of it with its origin."""
    said = int(text.split()[1])
    then = "openai" if first == "lmstudio" else "lmstudio"
    conversation = await place.ada.conversation()
    async with chat(place.url, place.ada.token) as device:
        await device.subscribe(conversation)
        reply, end = await _ask(device, conversation, text, first, then)
        assert device.reader.texts[reply] == finished(said)
        starts = [frame for frame in device.heard if frame["type"] == "reply.started"]
    kept = len(spoken(tokens))
    broke = _started(device) if first == "anthropic" else place.house.model.was_done(text)
    seconds = _recovered(device, reply, kept, broke)
    waited = ", in which a limit of 1 s ran out" if "timeout" in reason else ""
    print(f"\n{first}, {text}: recovered in {seconds:.3f} s{waited}")
    assert (end["type"], end["sha256"]) == ("reply.completed", sha256(finished(said)))
    assert [start["provider"] for start in starts] == [first, then]
    assert (starts[1]["instead_of"]["provider"], starts[1]["instead_of"]["reason"]) == (first, reason)
    told = [(span["provider"], span["start"], span["end"], span["outcome"]) for span in end["provenance"]]
    assert told == [(first, 0, kept, reason), (then, kept, len(finished(said)), "completed")]
    assert end["provenance"][1]["model"] == FINISHER
    waits = [span["first_token_ms"] for span in end["provenance"]]
    assert [wait is not None for wait in waits] == [tokens > 0, True]
    assert all(wait is None or wait >= 0 for wait in waits)
    assert {span["attempt"] for span in end["provenance"]} == {1}
    stored = await place.ada.message(conversation, reply)
    assert (stored["text"], stored["provider"], stored["model"]) == (finished(said), then, FINISHER)
    assert stored["provenance"] == end["provenance"] or len(stored["provenance"]) == 2
    assert not [frame for frame in device.heard if frame["type"] == "reply.restarted"]


async def test_one_that_lets_nobody_in_is_passed_by(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """A machine that does not answer at all costs the limit for connecting, and no more."""
    with full_port() as address:
        more = {"ANTHROPIC_BASE_URL": f"http://{address}", "ANTHROPIC_API_KEY": API_KEY, **LIMITS}
        # Longer than anybody waits here: it is the limit for connecting that ends the call.
        more["CHAT_FIRST_TOKEN_SECONDS"] = "600"
        house = new_house(tmp_path, engines, model, LMSTUDIO_BASE_URL=model.base_url, **more)
        async with house.pair() as (web, _), http(web.url) as ada:
            conversation = await ada.conversation()
            async with chat(web.url, ada.token) as device:
                await device.subscribe(conversation)
                reply, end = await _ask(device, conversation, "say 30 tokens", "anthropic", "lmstudio")
                assert device.reader.texts[reply] == finished(30)
            seconds = _recovered(device, reply, 0, _started(device))
            print(
                f"\nanthropic, not to be connected to: recovered in {seconds:.3f} s, in which a limit of 1 s ran out"
            )
    assert (end["type"], end["sha256"]) == ("reply.completed", sha256(finished(30)))
    outcomes = [(span["provider"], span["outcome"]) for span in end["provenance"]]
    assert outcomes == [("anthropic", "provider_timeout_connect"), ("lmstudio", "completed")]
    assert house.bugs == []


async def test_restarting_is_seen(place: Place) -> None:
    """By the policy `restart` the next one begins anew, and the clients are told that the text is void."""
    conversation = await place.ada.conversation()
    async with chat(place.url, place.ada.token) as device:
        await device.subscribe(conversation)
        text = "say 50 tokens, then break off"
        reply, end = await _ask(device, conversation, text, "openai", "lmstudio", on_break="restart")
        assert device.reader.texts[reply] == finished(50)
    [restarted] = [frame for frame in device.heard if frame["type"] == "reply.restarted"]
    assert restarted["keep"] == 0
    assert end["sha256"] == sha256(finished(50))
    assert [(span["start"], span["end"]) for span in end["provenance"]] == [(0, 0), (0, len(finished(50)))]


async def test_failing_is_a_policy_too(place: Place) -> None:
    """By the policy `fail` a broken answer stays broken, while one that had not begun is still taken over."""
    conversation = await place.ada.conversation()
    async with chat(place.url, place.ada.token) as device:
        await device.subscribe(conversation)
        _, end = await _ask(
            device, conversation, "say 50 tokens, then break off", "openai", "lmstudio", on_break="fail"
        )
        assert (end["type"], end["code"]) == ("reply.failed", "provider_truncated")
        [span] = end["provenance"]
        assert (span["provider"], span["model"], span["end"]) == ("openai", MODEL, len(spoken(50)))
        _, end = await _ask(device, conversation, "say 5 tokens", "anthropic", "lmstudio", on_break="fail")
        assert end["type"] == "reply.completed"
