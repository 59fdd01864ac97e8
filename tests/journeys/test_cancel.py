"""Stop means stop: before the worker has begun, while it writes, from anywhere; and never after the end."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.embedded.engines import EngineURLs
from tests.support.client import Http, chat, http
from tests.support.house import House, new_house
from tests.support.talking_model import TalkingModel, spoken
from tests.support.waiting import wait_until


@pytest.fixture
async def workerless(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> AsyncIterator[House]:
    """Give a house without a worker."""
    house = new_house(tmp_path, engines, model)
    async with house.web() as web:
        house.here = web.url
        yield house


async def test_before_a_worker_has_begun(workerless: House) -> None:
    """The reply ends at once, and a worker that comes later does not ask the model."""
    question = "say 5 tokens, which nobody will hear"
    async with http(workerless.here) as ada:
        conversation = await ada.conversation()
        async with chat(workerless.here, ada.token) as device:
            await device.subscribe(conversation)
            stopped = (await device.send(conversation, question))["reply"]
            following = (await device.send(conversation, "say 6 tokens"))["reply"]
            cancelling = await device.ask("cancel", reply=stopped)
            assert (cancelling["type"], cancelling["status"]) == ("cancelling", "cancelled")
            end = await device.until_end(stopped)
            assert (end["type"], end["length"], end["usage"]) == ("reply.cancelled", 0, None)
            async with workerless.worker():
                await device.until_end(following)
            assert device.reader.texts[following] == spoken(6)
    assert workerless.model.requests_for(question) == []


@pytest.mark.parametrize(
    ("change", "end", "code"),
    [("archive", "reply.completed", None), ("retract", "reply.failed", "retracted")],
)
async def test_a_question_that_changes_before_its_answer_begins(
    workerless: House, change: str, end: str, code: str | None
) -> None:
    """Put away, it is answered all the same; taken back, it is not, and no model is asked about nothing."""
    async with http(workerless.here) as ada:
        conversation = await ada.conversation()
        async with chat(workerless.here, ada.token) as device:
            await device.subscribe(conversation)
            question = f"say 7 tokens ({conversation})"
            sent = await device.send(conversation, question)
            await device.ask(change, message=sent["message"])
            async with workerless.worker():
                ended = await device.until_end(sent["reply"])
    assert (ended["type"], ended.get("code")) == (end, code)
    asked = [json.loads(request.body)["messages"] for request in workerless.model.requests if request.body]
    assert [] not in asked
    assert len(workerless.model.requests_for(question)) == (0 if code else 1)


@pytest.mark.parametrize("silent", [False, True], ids=["in mid-stream", "before the first token"])
async def test_from_another_client_on_another_instance(
    house: House, ada: Http, grace: Http, *, silent: bool
) -> None:
    """A member stops what another one asked for; the provider's connection is closed; what there was is kept."""
    conversation = await ada.conversation(members=[grace.user])
    question = f"say {0 if silent else 40} tokens, then fall silent ({conversation})"

    async def asked() -> bool:
        return bool(house.model.requests_for(question))

    async def left() -> bool:
        return house.model.was_left(question)

    async with chat(house.here, ada.token) as asker, chat(house.there, grace.token) as member:
        await asker.subscribe(conversation)
        await member.subscribe(conversation)
        reply = (await asker.send(conversation, question))["reply"]
        expected = "" if silent else spoken(40)
        while member.reader.texts.get(reply) != expected or member.reader.status[reply] != "running":
            await member.read()
        await wait_until(asked)
        assert (await member.ask("cancel", reply=reply))["type"] == "cancelling"
        end = await asker.until_end(reply)
        assert end["type"] == "reply.cancelled"
        assert await member.until_end(reply) == end
        assert (end["length"], end["usage"]["exact"]) == (len(expected), False)
    await wait_until(left)
    stored = await ada.message(conversation, reply)
    assert (stored["status"], stored["text"]) == ("cancelled", expected)


async def test_over_http(house: House, ada: Http) -> None:
    """202 with the reply; then 409, because it has ended."""
    conversation = await ada.conversation()
    async with chat(house.there, ada.token) as device:
        await device.subscribe(conversation)
        reply = (await device.send(conversation, "say 9 tokens, then fall silent"))["reply"]
        while device.reader.texts.get(reply) != spoken(9):
            await device.read()
        answer = await ada.post(f"/v1/replies/{reply}/cancel", status=202)
        assert (answer["id"], answer["cancel_requested"]) == (reply, True)
        await device.until_end(reply)
    told = await ada.get(f"/v1/replies/{reply}")
    assert (told["status"], told["length"]) == ("cancelled", len(spoken(9)))
    problem = await ada.post(f"/v1/replies/{reply}/cancel", status=409)
    assert problem["code"] == "already_ended"


async def test_after_the_end(house: House, ada: Http) -> None:
    """A completed reply stays completed."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        reply = (await device.send(conversation, "say 3 tokens"))["reply"]
        await device.until_end(reply)
        answer = await device.ask("cancel", reply=reply)
        assert (answer["type"], answer["code"]) == ("error", "already_ended")
    assert (await ada.message(conversation, reply))["status"] == "completed"


async def test_somebody_elses(house: House, ada: Http, grace: Http) -> None:
    """Only those who take part may stop a reply."""
    conversation = await ada.conversation()
    sent = await ada.post(
        f"/v1/conversations/{conversation}/messages", {"text": "say 4 tokens, then fall silent"}, status=202
    )
    problem = await grace.post(f"/v1/replies/{sent['reply']}/cancel", status=403)
    assert problem["code"] == "forbidden"
    await ada.post(f"/v1/replies/{sent['reply']}/cancel", status=202)
