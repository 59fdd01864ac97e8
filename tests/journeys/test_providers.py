"""The same journey through each provider that an operator may configure, and what their failures become."""

from pathlib import Path

import pytest

from server.embedded.engines import EngineURLs
from tests.support.client import Http, chat, http, sha256
from tests.support.house import API_KEY, House, new_house
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.talking_model import TalkingModel, spoken


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
    assert {(item["takes"]["streams"], item["takes"]["images"]) for item in items if item["default"]} == {
        (True, False)
    }


async def test_who_cannot_be_reached_is_shown_so(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """The list says of each model whether its provider answered just now, and what is known of it all the same."""
    async with ScriptedServer() as gone:
        dead = gone.url
    more = {"ANTHROPIC_BASE_URL": dead, "ANTHROPIC_API_KEY": API_KEY, "LMSTUDIO_BASE_URL": f"{dead}/v1"}
    house = new_house(tmp_path, engines, model, **more)
    async with house.web() as web, http(web.url) as ada:
        items = (await ada.get("/v1/models"))["items"]
    shown = {(item["provider"], item["model"]): (item["reachable"], item["state"]) for item in items}
    assert shown == {
        ("openai", "talker-1"): (True, "closed"),
        ("openai", "talker-2"): (True, "closed"),
        ("anthropic", "claude-haiku-4-5"): (False, "closed"),
    }
    [claude] = [item["takes"] for item in items if item["provider"] == "anthropic"]
    assert (claude["prefill"], claude["context"], claude["priced"]) == (True, 128_000, True)


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


async def test_nobody_to_ask(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> None:
    """A provider that the worker does not have, and one that offers no model: the reply ends all the same."""
    async with ScriptedServer() as empty:
        empty.script(Answer([b'{"object":"list","data":[]}'], headers={"content-type": "application/json"}))
        house = new_house(tmp_path, engines, model, LMSTUDIO_BASE_URL=f"{empty.url}/v1")
        async with house.web(ANTHROPIC_API_KEY=API_KEY) as web, house.worker(), http(web.url) as ada:
            conversation = await ada.conversation()
            async with chat(web.url, ada.token) as device:
                await device.subscribe(conversation)
                for provider, code in (
                    ("anthropic", "provider_unknown"),
                    ("lmstudio", "provider_unknown_model"),
                ):
                    sent = await device.send(conversation, "Hola", reply={"provider": provider})
                    end = await device.until_end(sent["reply"])
                    assert (end["type"], end["code"]) == ("reply.failed", code)
    assert house.bugs == []
