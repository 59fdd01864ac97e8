"""Workers die, freeze and come back, at moments that chance chooses: every reply is made, once, by whoever lives."""

import asyncio
import time
from pathlib import Path
from random import Random

import httpx2
import pytest
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from providers.config import ProviderConfig
from providers.profiles import profile
from providers.tokens import estimate
from server.embedded.engines import EngineURLs
from tests.support.audited import assert_kept
from tests.support.cable import Cable
from tests.support.chaos import sized
from tests.support.client import Chat, Http, chat, http, sha256
from tests.support.house import House, Process, new_house
from tests.support.talking_model import TalkingModel, spoken
from tests.support.waiting import wait_until
from tests.support.workers import Workers, workers

LEASE = 2.0
KILLS = sized(4, 50)
AT_ONCE = 3
TOKENS, PACE = 80, 100
GENERATION = TOKENS / PACE
FALLS_SILENT = "say 9 tokens, then fall silent"
SLACK = 3.0
"""Seconds that two cores, which others use as well, may add."""


async def follow(
    device: Chat, house_url: str, ada: Http, conversation: str, question: str
) -> tuple[str, float]:
    """Ask, and read to the end, which must be exact; the reply, and how long it took."""
    began = time.monotonic()
    reply = (await device.send(conversation, question))["reply"]
    end = await device.until_end(reply)
    took = time.monotonic() - began
    text = spoken(TOKENS)
    assert end["type"] == "reply.completed", end
    assert device.reader.texts[reply] == text
    assert end["sha256"] == sha256(text)
    assert (await ada.message(conversation, reply))["text"] == text
    return reply, took


def moment(chance: Random) -> float:
    """When to kill: about the beginning, anywhere, or about the end."""
    kind = chance.choice(("begin", "middle", "end"))
    if kind == "begin":
        return chance.uniform(0, 0.06)
    if kind == "middle":
        return chance.uniform(0.06, GENERATION)
    return chance.uniform(GENERATION - 0.02, GENERATION + 0.12)


@pytest.mark.timeout(sized(120, 580))
async def test_workers_are_killed_at_any_moment(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel, chance: Random
) -> None:
    """Each reply ends within two leases and the time of its generation, with one text, one record, one truth."""
    house = new_house(tmp_path, engines, model, CHAT_LEASE_SECONDS=str(LEASE))
    slowest, taken_over = 0.0, 0
    async with house.web() as web, workers(house, 2) as crew, http(web.url) as ada:
        conversations = [await ada.conversation() for _ in range(AT_ONCE)]
        devices = [await crew.stack.enter_async_context(chat(web.url, ada.token)) for _ in conversations]
        for device, conversation in zip(devices, conversations, strict=True):
            await device.subscribe(conversation)
        for number in range(KILLS):
            question = f"say {TOKENS} tokens at {PACE}/s"
            asked = [
                asyncio.create_task(follow(device, web.url, ada, conversation, question))
                for device, conversation in zip(devices, conversations, strict=True)
            ]
            await asyncio.sleep(moment(chance))
            await crew.kill(chance.randrange(2))
            for reply, took in await asyncio.gather(*asked):
                slowest = max(slowest, took)
                attempt = (await ada.get(f"/v1/replies/{reply}"))["attempt"]
                taken_over += attempt > 1
            await crew.full()
            print(f"kill {number + 1}: slowest {slowest:.1f} s, taken over {taken_over}")
    assert slowest < 2 * LEASE + GENERATION + SLACK
    assert house.bugs == []


async def metric(url: str, name: str) -> float:
    """A figure that a process tells of itself."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        lines = (await client.get(url)).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"tertulia_{name} "))


async def test_a_frozen_worker_writes_nothing(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """Stopped for longer than its lease and then continued: its appends are refused, and the text is the other's."""
    house = new_house(tmp_path, engines, model, CHAT_LEASE_SECONDS="1", CHAT_WORKER_METRICS_PORT="0")
    async with house.web() as web, house.worker() as frozen, http(web.url) as ada:
        conversation = await ada.conversation()
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            reply = (await device.send(conversation, "say 400 tokens at 100/s"))["reply"]
            await device.until_text(reply)
            frozen.freeze()
            async with house.worker() as other:
                end = await device.until_end(reply)
                frozen.thaw()
                [measuring] = frozen.events("measuring")

                async def refused() -> bool:
                    return await metric(measuring["url"], "appends_refused_total") > 0

                await wait_until(refused)
                [started] = [e for e in device.heard if e["type"] == "reply.started" and e["attempt"] == 2]
                assert started["reply"] == reply
                audit = (await ada.get(f"/v1/conversations/{conversation}/audit"))["items"]
                [taken] = [event["data"] for event in audit if event["type"] == "reply.restarted"]
                [told] = [event for event in device.heard if event["type"] == "reply.restarted"]
                assert (taken["attempt"], taken["keep"]) == (2, told["keep"])
                after = (await device.send(conversation, "say 5 tokens"))["reply"]
                await device.until_end(after)
                assert other.events("in other hands") == []
        kinds = [frame["type"] for frame in device.heard if frame.get("reply") == reply]
        assert kinds[-1] == "reply.completed"
        assert end["sha256"] == sha256(spoken(400))
        assert (await ada.message(conversation, reply))["text"] == spoken(400)


async def test_what_was_generated_is_not_paid_for_twice(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """The worker has it all, the database is away, the worker dies: the next one saves it, and asks nobody."""
    question = "say 30 tokens at 10/s, once and for all"
    async with Cable(engines.mongodb or "") as cable:
        url = f"mongodb://{cable.address}/?directConnection=true"
        house = new_house(tmp_path, engines, model, CHAT_LEASE_SECONDS="1")
        async with house.web() as web, http(web.url) as ada:
            conversation = await ada.conversation()
            async with chat(web.url, ada.token) as device:
                await device.subscribe(conversation)
                async with house.worker(CHAT_MONGODB_URL=url) as worker:
                    reply = (await device.send(conversation, question))["reply"]
                    await device.until_text(reply)
                    await cable.pull()
                    while device.reader.texts[reply] != spoken(30):
                        await device.read()
                    await worker.until_says("cannot save yet")
                    worker.kill()
                async with house.worker():
                    end = await device.until_end(reply)
                assert (end["type"], end["sha256"]) == ("reply.completed", sha256(spoken(30)))
                assert end["usage"]["exact"]
    assert len(model.requests_for(question)) == 1


async def _owner(house: House, reply: str, crew: Workers) -> Process:
    name = house.environment["CHAT_MONGODB_DATABASE"]
    async with AsyncMongoClient[dict[str, str]](house.mongodb_url) as client:
        found = await client[name]["replies"].find_one({"_id": reply})
    assert found
    return next(one for one in crew.processes if found["worker"].endswith(f"-{one.pid}"))


async def test_a_reply_that_kills_its_workers_is_given_up(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """After so many workers its job is dead, its reply has failed with a clear code, and others are made as ever."""
    more = {"CHAT_LEASE_SECONDS": "1", "CHAT_JOB_DELIVERIES": "2", "LMSTUDIO_BASE_URL": model.base_url}
    house = new_house(tmp_path, engines, model, **more)
    async with house.web() as web, workers(house, 2) as crew, http(web.url) as ada:
        conversation = await ada.conversation(settings={"fallbacks": [{"provider": "lmstudio"}]})
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            reply = (await device.send(conversation, FALLS_SILENT))["reply"]
            for attempt in (1, 2):
                while not any(e["type"] == "reply.started" and e["attempt"] == attempt for e in device.heard):
                    await device.read()
                while device.reader.texts.get(reply) != spoken(9):
                    await device.read()
                await crew.kill(crew.processes.index(await _owner(house, reply, crew)))
                await crew.full()
            end = await device.until_end(reply)
            assert (end["type"], end["code"], end["length"]) == ("reply.failed", "given_up", len(spoken(9)))
            [span] = end["provenance"]
            assert (span["outcome"], span["start"], span["end"]) == ("worker_lost", 0, end["length"])
            # What was asked and what was written, as the model counts.
            known = profile(ProviderConfig("openai", "openai"), span["model"])
            asked, written = (estimate([text], known) for text in (FALLS_SILENT, spoken(9)))
            assert (span["usage"]["input"], span["usage"]["output"]) == (asked, written)
            after = (await device.send(conversation, "say 5 tokens"))["reply"]
            assert (await device.until_end(after))["type"] == "reply.completed"
        assert (await ada.message(conversation, reply))["text"] == spoken(9)
        stored = await ada.get(f"/v1/replies/{reply}")
        assert (stored["usage"], stored["cost"]) == (span["usage"] | {"cached": 0, "reasoning": 0}, None)
    listed = await asyncio.to_thread(house.run, "jobs", "list", "--state", "dead")
    assert reply in listed.stdout
    async with Redis.from_url(house.redis_url) as redis:
        buried = await redis.hget("queue:{openai}:jobs", reply)
    assert (conversation in buried.decode(), FALLS_SILENT in buried.decode()) == (True, False)
    shown = await asyncio.to_thread(house.run, "jobs", "show", reply)
    assert (shown.returncode, "given_up" in shown.stdout) == (0, True)
    retried = await asyncio.to_thread(house.run, "jobs", "retry", reply)
    assert (retried.returncode, "has failed" in retried.stdout) == (0, True)
    again = await asyncio.to_thread(house.run, "jobs", "list")
    assert reply not in again.stdout
    assert ("waiting" in again.stdout, retried.stdout.split()[3] in again.stdout) == (True, True)
    await assert_kept(house, young=60)
