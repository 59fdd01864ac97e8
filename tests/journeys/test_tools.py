"""What an answer brings beside its text: thinking, sources, and calls of tools, which the client answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from server.embedded.engines import EngineURLs
from tests.support.client import Http, chat, http
from tests.support.house import House, new_house
from tests.support.talking_model import TalkingModel, spoken

LOOK = {
    "name": "look",
    "description": "Look somewhere.",
    "parameters": {"type": "object", "properties": {"at": {"type": "integer"}}},
}
USE = 'say 3 tokens, use look with {"at": 1}'


async def test_a_call_is_shown_stored_and_answered(house: House, ada: Http) -> None:
    """The reply ends with a call; its result brings another reply, whose prompt has both."""
    conversation = await ada.conversation(settings={"tools": [LOOK]})
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        called = (await device.send(conversation, USE))["reply"]
        end = await device.until_end(called)
        [shown] = [frame for frame in device.heard if frame["type"] == "reply.tool_call"]
        path = f"/v1/replies/{called}/tool-results"
        result = {"id": "call_1", "output": "say 7 tokens, as the tool has found"}
        goes_on = (await ada.post(path, {"results": [result]}, status=202))["reply"]
        last = await device.until_end(goes_on)
        assert device.reader.texts[goes_on] == spoken(7)
    call = {"id": "call_1", "name": "look", "arguments": '{"at": 1}'}
    assert (end["type"], end["finish"], shown["call"]) == ("reply.completed", "tool", call)
    assert last["type"] == "reply.completed"
    stored = await ada.message(conversation, called)
    assert (stored["tool_calls"], stored["tool_results"], stored["text"]) == ([call], [result], spoken(3))
    assert (await ada.message(conversation, goes_on))["reply_to"] == called
    assert (await ada.get(f"/v1/replies/{called}"))["tool_results"] == [result]
    [asked] = house.model.requests_for("say 7 tokens, as the tool has found")
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["look"]
    *_, assistant, tool = asked["messages"]
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == {"at": 1}
    assert tool == {
        "role": "tool",
        "tool_call_id": "call_1",
        "content": "say 7 tokens, as the tool has found",
    }
    again = await ada.post(path, {"results": [result]}, status=409)
    assert again["code"] == "already_given"


@pytest.mark.parametrize(
    ("results", "status", "code"),
    [
        ([], 422, "invalid"),
        ([{"id": "other", "output": "x"}], 422, "invalid"),
        ([{"id": "call_1", "output": "x"}] * 2, 422, "invalid"),
        ([{"id": "call_1"}], 422, "invalid"),
    ],
)
async def test_each_call_has_one_result(
    house: House, ada: Http, results: list[dict[str, Any]], status: int, code: str
) -> None:
    """Too few, too many, others, or none: refused, and the reply still waits for the right ones."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        called = (await device.send(conversation, USE, reply={"tools": [LOOK]}))["reply"]
        await device.until_end(called)
    problem = await ada.post(f"/v1/replies/{called}/tool-results", {"results": results}, status=status)
    assert problem["code"] == code
    assert (await ada.get(f"/v1/replies/{called}"))["tool_results"] == []


async def test_nobody_gives_results_that_nobody_wants(house: House, ada: Http, grace: Http) -> None:
    """A reply without calls takes none, and neither does somebody else's."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        plain = (await device.send(conversation, "say 3 tokens"))["reply"]
        await device.until_end(plain)
    path, body = f"/v1/replies/{plain}/tool-results", {"results": [{"id": "x", "output": "y"}]}
    assert (await ada.post(path, body, status=409))["code"] == "no_tool_calls"
    assert (await grace.post(path, body, status=403))["code"] == "forbidden"


async def test_results_come_too_late_once_the_talk_has_gone_on(house: House, ada: Http) -> None:
    """Where something else was said meanwhile, the call stays unanswered, and nothing begins."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        called = (await device.send(conversation, USE, reply={"tools": [LOOK]}))["reply"]
        await device.until_end(called)
        await device.until_end((await device.send(conversation, "say 3 tokens"))["reply"])
    before = await ada.messages(conversation)
    body = {"results": [{"id": "call_1", "output": "say 7 tokens"}]}
    assert (await ada.post(f"/v1/replies/{called}/tool-results", body, status=409))["code"] == "gone_on"
    assert await ada.messages(conversation) == before


async def test_thinking_and_sources_stand_apart(house: House, ada: Http) -> None:
    """They are streamed, and stored beside the text, which has nothing of them."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        text = "think 30 tokens, say 5 tokens, cite https://example.org/owls"
        reply = (await device.send(conversation, text))["reply"]
        await device.until_end(reply)
    thought = "".join(frame["text"] for frame in device.heard if frame["type"] == "reply.reasoning")
    [cited] = [frame["citation"] for frame in device.heard if frame["type"] == "reply.citation"]
    stored = await ada.message(conversation, reply)
    assert thought == stored["reasoning"] == spoken(30)
    assert stored["text"] == spoken(5)
    assert stored["citations"] == [cited]
    assert (cited["url"], cited["title"]) == ("https://example.org/owls", "A source")


async def test_what_is_taken_back_takes_all_with_it(house: House, ada: Http) -> None:
    """No thinking, source, call or result of it is left where people look, and nobody gives results any more."""
    conversation = await ada.conversation(settings={"tools": [LOOK]})
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        asked = f"think 9 tokens, cite https://example.org/owls, {USE}"
        called = (await device.send(conversation, asked))["reply"]
        await device.until_end(called)
        path, output = f"/v1/replies/{called}/tool-results", "say 7 tokens, which nobody else may know"
        goes_on = await ada.post(path, {"results": [{"id": "call_1", "output": output}]}, status=202)
        await device.until_end(goes_on["reply"])
        await device.ask("retract", message=called)
    message, reply = await ada.get(f"/v1/messages/{called}"), await ada.get(f"/v1/replies/{called}")
    left = {name: message[name] for name in ("text", "reasoning", "citations", "tool_calls", "tool_results")}
    assert left == {"text": "", "reasoning": None, "citations": [], "tool_calls": [], "tool_results": []}
    assert (reply["tool_calls"], reply["tool_results"]) == ([], [])
    entries = await ada.get(f"/v1/conversations/{conversation}/audit?limit=200")
    assert output not in json.dumps(entries)


async def test_settings_reach_the_model_or_are_told(house: House, ada: Http) -> None:
    """What a model takes arrives; what it does not is left out with a notice; what changes the meaning is refused."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        said = {"top_p": 0.5, "stop": ["END"], "reasoning_effort": "low", "temperature": 0.3}
        reply = (await device.send(conversation, "say 2 tokens of 3 words", reply=said))["reply"]
        await device.until_end(reply)
        notices = [frame.get("notices") for frame in device.heard if frame["type"] == "reply.started"]
        assert notices == [None, ["talker-1 does not take reasoning_effort; it was left out."]]
        [asked] = house.model.requests_for("say 2 tokens of 3 words")
        assert (asked["top_p"], asked["stop"], asked["temperature"]) == (0.5, ["END"], 0.3)
        assert "reasoning_effort" not in asked


async def test_what_a_model_would_refuse_is_refused_with_the_send(house: House, ada: Http) -> None:
    """By both ways in, with the field; nothing is stored, and without a reply there is nothing to refuse."""
    conversation = await ada.conversation()
    path, said = f"/v1/conversations/{conversation}/messages", {"model": "gpt-5-mini", "stop": ["END"]}
    problem = await ada.post(path, {"text": "say 2 tokens", "reply": said}, status=422)
    assert (problem["code"], problem["field"]) == ("unsupported_setting", "stop")
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        answer = await device.ask("send", conversation=conversation, text="say 2 tokens", reply=said)
        assert (answer["type"], answer["code"], answer["field"]) == ("error", "unsupported_setting", "stop")
    assert (await ada.get(path))["items"] == []
    await ada.ask("PATCH", f"/v1/conversations/{conversation}", {"settings": said})
    await ada.post(path, {"text": "nobody need answer", "reply": False}, status=202)


async def test_asking_again_and_saying_it_differently_refuse_it_too(house: House, ada: Http) -> None:
    """By both ways in; the conversation stays as it was."""
    conversation = await ada.conversation()
    path, said = f"/v1/conversations/{conversation}/messages", {"model": "gpt-5-mini", "stop": ["END"]}
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        sent = await device.send(conversation, "say 2 tokens")
        await device.until_end(sent["reply"])
        before = (await ada.get(path))["items"]
        again = await device.ask("regenerate", reply=sent["reply"], settings=said)
        other = await device.ask("edit", message=sent["message"], text="say 3 tokens", reply=said)
        for answer in (again, other):
            told = (answer["type"], answer["code"], answer["field"])
            assert told == ("error", "unsupported_setting", "stop")
    for method, way, body in (
        ("POST", f"/v1/replies/{sent['reply']}/regenerate", {"settings": said}),
        ("PATCH", f"/v1/messages/{sent['message']}", {"text": "say 3 tokens", "reply": said}),
    ):
        problem = await ada.ask(method, way, body, status=422)
        assert (problem["code"], problem["field"]) == ("unsupported_setting", "stop")
    assert (await ada.get(path))["items"] == before


async def test_tools_are_refused_where_the_model_cannot_use_them(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """The small model that comes along takes none: the send says so, and which field it is."""
    house = new_house(tmp_path, engines, model, CHAT_LOCAL_MODEL_URL=model.base_url)
    async with house.web() as web, http(web.url) as ada:
        conversation = await ada.conversation()
        path, said = f"/v1/conversations/{conversation}/messages", {"provider": "local", "tools": [LOOK]}
        problem = await ada.post(path, {"text": USE, "reply": said}, status=422)
        assert (problem["code"], problem["field"]) == ("unsupported_setting", "tools")
        assert (await ada.get(path))["items"] == []
