"""The queue as clients and operators see it: places, turns, a bound, and what can be done about a single job."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from server.embedded.engines import EngineURLs
from tests.support.audited import assert_kept
from tests.support.client import chat, http
from tests.support.house import House, new_house
from tests.support.talking_model import TalkingModel, spoken
from tests.support.waiting import wait_until


@pytest.fixture
async def workerless(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> AsyncIterator[House]:
    """Give a house without a worker, whose queue holds five jobs."""
    house = new_house(tmp_path, engines, model, CHAT_QUEUE_DEPTH="5")
    async with house.web() as web:
        house.here = web.url
        yield house


async def run(house: House, *command: str) -> tuple[int, str]:
    """Run a command: its exit code, and all that it wrote."""
    done = await asyncio.to_thread(house.run, *command)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


async def test_a_full_queue_accepts_nothing(workerless: House) -> None:
    """`overloaded`, over HTTP and on the socket, and nothing of it is stored; a message without a reply is welcome."""
    async with http(workerless.here) as ada:
        conversation = await ada.conversation()
        async with chat(workerless.here, ada.token) as device:
            await device.subscribe(conversation)
            for number in range(5):
                await device.send(await ada.conversation(), f"say 3 tokens ({number})")
            refused = await device.ask("send", conversation=conversation, text="Hola")
            assert (refused["type"], refused["code"]) == ("error", "overloaded")
            assert refused["retry_after"] > 0
            path = f"/v1/conversations/{conversation}/messages"
            problem = await ada.post(path, {"text": "Hola"}, status=503)
            assert problem["code"] == "overloaded"
            assert await ada.messages(conversation) == []
            await device.send(conversation, "No answer, please.", reply=False)
        assert len(await ada.messages(conversation)) == 1
        async with workerless.worker(), chat(workerless.here, ada.token) as device:
            await device.subscribe(conversation)
            answer = await device.ask("send", conversation=conversation, text="say 2 tokens")

            async def accepted() -> bool:
                nonlocal answer
                if answer["type"] == "error":
                    assert answer["code"] in ("overloaded", "rate_limited")
                    answer = await device.ask("send", conversation=conversation, text="say 2 tokens")
                return answer["type"] == "accepted"

            await wait_until(accepted)
            await device.until_end(answer["reply"])
    await assert_kept(workerless, young=60)


async def test_a_full_queue_takes_no_results_of_tools(workerless: House) -> None:
    """They ask for a reply as well: it is refused before anything is stored, and may be asked for again."""
    look = {"name": "look", "parameters": {"type": "object", "properties": {}}}
    async with http(workerless.here) as ada, chat(workerless.here, ada.token) as device:
        conversation = await ada.conversation()
        await device.subscribe(conversation)
        async with workerless.worker():
            sent = await device.send(conversation, "use look with {}", reply={"tools": [look]})
            await device.until_end(sent["reply"])
        answer = {"type": "accepted"}
        while answer["type"] == "accepted":
            answer = await device.ask("send", conversation=await ada.conversation(), text="say 3 tokens")
        assert answer["code"] == "overloaded"
        path, results = f"/v1/replies/{sent['reply']}", {"results": [{"id": "call_1", "output": "x"}]}
        problem = await ada.post(f"{path}/tool-results", results, status=503)
        assert (problem["code"], problem["retry_after"] > 0) == ("overloaded", True)
        assert (await ada.get(path))["tool_results"] == []


async def test_a_place_is_told_as_it_changes(workerless: House) -> None:
    """Each user takes turns: one who asks later than another's many moves up, and is told so until it begins."""
    async with http(workerless.here) as ada, http(workerless.here) as grace:
        mine = [await ada.conversation() for _ in range(4)]
        theirs = await grace.conversation()
        async with chat(workerless.here, ada.token) as many, chat(workerless.here, grace.token) as one:
            await one.subscribe(theirs)
            for conversation in mine:
                await many.send(conversation, "say 30 tokens at 20/s")
            reply = (await one.send(theirs, "say 3 tokens"))["reply"]
            async with workerless.worker(CHAT_WORKER_CONCURRENCY="1"):
                await one.until_end(reply)
            places = [frame["position"] for frame in one.heard if frame["type"] == "reply.queued"]
        assert places[0] == 3
        assert places == sorted(places, reverse=True)
        assert places[-1] < places[0]
        assert one.reader.texts[reply] == spoken(3)


async def test_an_operator_looks_into_the_queue(workerless: House) -> None:
    """`jobs list` and `show` tell of what waits; nothing is to be had of what does not exist."""
    async with http(workerless.here) as ada:
        conversation = await ada.conversation()
        sent = await ada.post(f"/v1/conversations/{conversation}/messages", {"text": "Hola"}, status=202)
    code, printed = await run(workerless, "jobs", "list")
    assert code == 0
    assert sent["reply"] in printed
    assert ("waiting" in printed, "openai" in printed) == (True, True)
    code, printed = await run(workerless, "jobs", "list", "--state", "dead")
    assert (code, sent["reply"] in printed) == (0, False)
    code, printed = await run(workerless, "jobs", "show", sent["reply"])
    assert code == 0
    assert (conversation in printed, ada.user in printed) == (True, True)
    assert (await run(workerless, "jobs", "show", "msg_1")) == (1, "There is no job msg_1.\n")
    assert (await run(workerless, "jobs", "list", "--state", "lost"))[0] == 2
    code, printed = await run(workerless, "jobs", "retry", sent["reply"])
    assert (code, "is waiting" in printed) == (1, True)


async def test_metrics_tell_how_many_wait(workerless: House) -> None:
    """By lane; a second conversation's reply waits, and is worked on when there is a worker."""

    async def told(waiting: int, working: int) -> bool:
        metrics = (await ada.client.get("/metrics")).text
        wanted = {"waiting": waiting, "working": working}
        lines = [f'tertulia_queue_{name}{{lane="openai"}} {count}.0\n' for name, count in wanted.items()]
        return all(line in metrics for line in lines)

    async with http(workerless.here) as ada:
        for _ in range(2):
            path = f"/v1/conversations/{await ada.conversation()}/messages"
            sent = await ada.post(path, {"text": "say 9 tokens, then fall silent"}, 202)
        await wait_until(lambda: told(2, 0))
        async with workerless.worker(CHAT_WORKER_CONCURRENCY="1"):
            await wait_until(lambda: told(1, 1))
            await ada.post(f"/v1/replies/{sent['reply']}/cancel", status=202)
            await wait_until(lambda: told(0, 1))


async def test_an_operator_drops_a_job(workerless: House) -> None:
    """Its reply is cancelled, the clients are told, and no worker makes it."""
    async with http(workerless.here) as ada:
        conversation = await ada.conversation()
        async with chat(workerless.here, ada.token) as device:
            await device.subscribe(conversation)
            question = "say 3 tokens, which nobody will hear"
            reply = (await device.send(conversation, question))["reply"]
            assert (await run(workerless, "jobs", "drop", reply))[0] == 0
            assert (await device.until_end(reply))["type"] == "reply.cancelled"
    assert (await run(workerless, "jobs", "drop", reply))[0] == 1
    assert workerless.model.requests_for(question) == []
    await assert_kept(workerless)


async def test_an_audit_finds_what_was_damaged(workerless: House) -> None:
    """Exit code 1 and a table of findings; the same data were clean before."""

    async with http(workerless.here) as ada, workerless.worker():
        conversation = await ada.conversation()
        async with chat(workerless.here, ada.token) as device:
            await device.subscribe(conversation)
            reply = (await device.send(conversation, "say 9 tokens"))["reply"]
            await device.until_end(reply)
    await assert_kept(workerless)
    name = workerless.environment["CHAT_MONGODB_DATABASE"]
    async with AsyncMongoClient[dict[str, object]](workerless.mongodb_url) as client:
        await client[name]["messages"].update_one({"_id": reply}, {"$set": {"text": "something else"}})
        await client[name]["usage"].delete_one({"_id": reply})
    async with Redis.from_url(workerless.redis_url) as redis:
        await redis.set("forgotten", "1")
    code, printed = await run(workerless, "audit")
    assert code == 1
    for promise in (
        "3 findings",
        "text as promised",
        "one usage record",
        "nothing lives for ever",
        "forgotten",
    ):
        assert promise in printed, printed
