"""The same journey through each provider that an operator may configure, and what their failures become."""

import pytest

from tests.support.client import Http, chat, sha256
from tests.support.house import API_KEY, House
from tests.support.talking_model import spoken


@pytest.mark.parametrize("provider", ["openai", "anthropic", "lmstudio"])
async def test_a_reply_by_each_provider(house: House, ada: Http, provider: str) -> None:
    """`OPENAI_BASE_URL`, `ANTHROPIC_BASE_URL` and `LMSTUDIO_BASE_URL`: asked for by name, and it answers."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        sent = await device.send(conversation, "say 20 tokens", reply={"provider": provider})
        end = await device.until_end(sent["reply"])
    [started] = [frame for frame in device.heard if frame["type"] == "reply.started"]
    stored = await ada.message(conversation, sent["reply"])
    assert started["provider"] == stored["provider"] == provider
    assert end["type"] == "reply.completed"
    assert end["usage"]["exact"]
    assert sha256(stored["text"]) == end["sha256"]
    assert stored["text"]


async def test_what_can_be_asked(ada: Http) -> None:
    """The list of models names each provider, and one default."""
    items = (await ada.get("/v1/models"))["items"]
    assert {item["provider"] for item in items} == {"openai", "anthropic", "lmstudio"}
    assert [(item["provider"], item["model"]) for item in items if item["default"]] == [
        ("openai", "talker-1")
    ]


@pytest.mark.parametrize(
    ("question", "code", "text"),
    [
        ("refuse with 401", "provider_unauthorized", ""),
        ("refuse with 429", "provider_rate_limited", ""),
        ("refuse with 503", "provider_overloaded", ""),
        ("refuse with 400", "provider_refused", ""),
        ("say 30 tokens, then end early", "provider_truncated", spoken(30)),
        ("say 30 tokens, then break off", "provider_truncated", spoken(30)),
    ],
)
async def test_a_failure_ends_the_reply(house: House, ada: Http, question: str, code: str, text: str) -> None:
    """`reply.failed` says why, in words that hold no key; what had come is kept, here and in the store."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        reply = (await device.send(conversation, question))["reply"]
        end = await device.until_end(reply)
        assert device.reader.texts[reply] == text
    assert (end["type"], end["code"], end["length"]) == ("reply.failed", code, len(text))
    assert end["detail"]
    assert API_KEY not in end["detail"]
    stored = await ada.message(conversation, reply)
    assert (stored["status"], stored["text"], stored["error"]) == ("failed", text, code)
    told = await ada.get(f"/v1/replies/{reply}")
    assert told["error"] == {"code": code, "detail": end["detail"]}
