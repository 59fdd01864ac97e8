"""A second message while a reply is being made: it waits, is refused, or stops the first, as the conversation wants."""

import asyncio
from pathlib import Path
from typing import Any

from server.embedded.engines import EngineURLs
from tests.support.client import Http, chat, http
from tests.support.house import House, new_house
from tests.support.talking_model import TalkingModel, spoken


async def test_the_second_reply_waits_and_has_read_the_first(house: House, ada: Http) -> None:
    """By default: nothing of it begins before the end of the first, whose text is in its context."""
    conversation = await ada.conversation()
    question = f"say 3 tokens ({conversation})"
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        first = (await device.send(conversation, "say 60 tokens at 100/s"))["reply"]
        second = (await device.send(conversation, question))["reply"]
        third = (await device.send(conversation, f"{question} again"))["reply"]
        await device.until_end(third)
        told = [(e["type"], e["reply"]) for e in device.heard if e["type"] in {"reply.started", *_ENDS}]
        positions = {e["reply"]: e["position"] for e in device.heard if e["type"] == "reply.queued"}
    in_turn = [
        (kind, reply) for reply in (first, second, third) for kind in ("reply.started", "reply.completed")
    ]
    assert told == in_turn
    assert positions[second] < positions[third]
    (asked,) = house.model.requests_for(question)
    assert [turn["content"] for turn in asked["messages"]] == ["say 60 tokens at 100/s", spoken(60), question]


async def test_the_second_is_refused(house: House, ada: Http) -> None:
    """`reject`: the error `busy`, over both doors, for edits and regenerations too; nothing is stored."""
    conversation = await ada.conversation(busy="reject")
    path = f"/v1/conversations/{conversation}/messages"
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        done = await device.send(conversation, "say 1 tokens")
        await device.until_end(done["reply"])
        first = await device.send(conversation, "say 3 tokens, then fall silent")
        refused = await device.ask("send", conversation=conversation, text="Hola")
        assert (refused["type"], refused["code"]) == ("error", "busy")
        assert (await ada.post(path, {"text": "Hola"}, status=409))["code"] == "busy"
        edit = {"text": "say 2 tokens"}
        assert (await ada.ask("PATCH", f"/v1/messages/{done['message']}", edit, status=409))["code"] == "busy"
        again = await ada.post(f"/v1/replies/{done['reply']}/regenerate", status=409)
        assert again["code"] == "busy"
        # What wants no reply disturbs nobody.
        await ada.post(path, {"text": "By the way", "reply": False}, status=202)
        await device.ask("cancel", reply=first["reply"])
        await device.until_end(first["reply"])
        after = await device.send(conversation, "say 2 tokens")
        await device.until_end(after["reply"])
    stored = [message["text"] for message in await ada.messages(conversation)]
    assert stored[0::2][:2] == ["say 1 tokens", "say 3 tokens, then fall silent"]
    assert "Hola" not in stored


async def test_the_first_is_stopped(house: House, ada: Http) -> None:
    """`interrupt`: its partial text stays, then the second is made, and has read it."""
    conversation = await ada.conversation(busy="interrupt")
    question = f"say 4 tokens ({conversation})"
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        first = (await device.send(conversation, "say 7 tokens, then fall silent"))["reply"]
        while device.reader.texts.get(first) != spoken(7):
            await device.read()
        second = (await device.send(conversation, question))["reply"]
        assert (await device.until_end(first))["type"] == "reply.cancelled"
        assert (await device.until_end(second))["type"] == "reply.completed"
    assert (await ada.message(conversation, first))["text"] == spoken(7)
    (asked,) = house.model.requests_for(question)
    assert [turn["content"] for turn in asked["messages"]][1] == spoken(7)


async def test_the_policy_can_be_changed(ada: Http) -> None:
    """By a PATCH, of which the followers are told; an unknown one is refused."""
    conversation = await ada.conversation()
    path = f"/v1/conversations/{conversation}"
    assert (await ada.get(path))["busy"] == "queue"
    assert (await ada.ask("PATCH", path, {"busy": "interrupt"}))["busy"] == "interrupt"
    assert (await ada.ask("PATCH", path, {"archived": True}))["archived"] is True
    assert (await ada.ask("PATCH", path, {"busy": "shout"}, status=422))["field"] == "busy"
    changed = await ada.get(path)
    assert (changed["busy"], changed["archived"]) == ("interrupt", True)


async def test_before_a_worker_has_begun(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> None:
    """Replies that wait are stopped at once, without a worker; a cancelled one lets the next one go."""
    house = new_house(tmp_path, engines, model)
    async with house.web() as web, http(web.url) as ada, chat(web.url, ada.token) as device:
        impatient = await ada.conversation(busy="interrupt")
        await device.subscribe(impatient)
        first = (await device.send(impatient, "say 3 tokens"))["reply"]
        second = (await device.send(impatient, "say 4 tokens"))["reply"]
        assert (await device.until_end(first))["type"] == "reply.cancelled"
        while device.reader.status.get(second) != "queued":
            await device.read()

        async with chat(web.url, ada.token) as other:
            patient = await ada.conversation()
            await other.subscribe(patient)
            replies = [(await other.send(patient, f"say {n} tokens"))["reply"] for n in (1, 2, 3)]
            await other.ask("cancel", reply=replies[1])  # out of the middle of the line
            await other.ask("cancel", reply=replies[0])
            async with house.worker():
                ends = await asyncio.gather(device.until_end(second), other.until_end(replies[2]))
    assert [end["type"] for end in ends] == ["reply.completed"] * 2


_ENDS: set[Any] = {"reply.completed", "reply.failed", "reply.cancelled"}
