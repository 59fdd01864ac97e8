"""A provider that is dead, slow, or breaks off: another one finishes the answer, as one text, and says so."""

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from server.embedded.engines import EngineURLs
from tests.support.client import Chat, Http, chat, http, sha256
from tests.support.house import API_KEY, House, new_house
from tests.support.scripted_server import ScriptedServer
from tests.support.talking_model import FINISHER, MODEL, TalkingModel, finished, spoken


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
        CHAT_FIRST_TOKEN_SECONDS="1",
        CHAT_BETWEEN_TOKENS_SECONDS="1",
        CHAT_BREAKER_FAILURES="1000000",
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


@pytest.mark.parametrize(
    ("first", "text", "tokens", "reason"),
    [
        ("anthropic", "say 30 tokens", 0, "provider_unreachable"),
        ("openai", "say 30 tokens, refuse with 503", 0, "provider_overloaded"),
        ("openai", "say 0 tokens, then fall silent", 0, "provider_timeout_first_token"),
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
    began = time.monotonic()
    async with chat(place.url, place.ada.token) as device:
        await device.subscribe(conversation)
        reply, end = await _ask(device, conversation, text, first, then)
        assert device.reader.texts[reply] == finished(said)
        starts = [frame for frame in device.heard if frame["type"] == "reply.started"]
    print(f"\n{first}: {text}: finished after {time.monotonic() - began:.2f} s")
    assert (end["type"], end["sha256"]) == ("reply.completed", sha256(finished(said)))
    assert [start["provider"] for start in starts] == [first, then]
    assert (starts[1]["instead_of"]["provider"], starts[1]["instead_of"]["reason"]) == (first, reason)
    kept = len(spoken(tokens))
    told = [(span["provider"], span["start"], span["end"], span["outcome"]) for span in end["provenance"]]
    assert told == [(first, 0, kept, reason), (then, kept, len(finished(said)), "completed")]
    assert end["provenance"][1]["model"] == FINISHER
    stored = await place.ada.message(conversation, reply)
    assert (stored["text"], stored["provider"], stored["model"]) == (finished(said), then, FINISHER)
    assert stored["provenance"] == end["provenance"] or len(stored["provenance"]) == 2
    assert not [frame for frame in device.heard if frame["type"] == "reply.restarted"]


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
