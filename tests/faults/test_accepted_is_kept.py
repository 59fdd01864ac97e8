"""What was accepted ends, whatever dies: the database, the queue with or without its data, a web process, workers."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import httpx2
import psutil
import pytest
from redis.asyncio import Redis

from server.embedded.engines import EngineURLs
from tests.support.chaos import sized
from tests.support.client import chat, http
from tests.support.engine_run import EngineRun, engine_run
from tests.support.flood import Flood
from tests.support.house import new_house
from tests.support.private_valkey import PrivateValkey, private_valkey
from tests.support.talking_model import TalkingModel, spoken
from tests.support.waiting import wait_until
from tests.support.workers import workers

SENDS = sized(60, 500)
TEXT, SAID = "say 20 tokens at 40/s", spoken(20)
LEASE = {"CHAT_LEASE_SECONDS": "2", "CHAT_WORKER_CONCURRENCY": "16"}


def mongod_of(run: EngineRun) -> int:
    """The process that a supervisor has for its database now; 0 for none."""
    family = psutil.Process(run.process.pid).children(recursive=True)
    return next((one.pid for one in family if one.name() == "mongod"), 0)


async def accepted(flood: Flood, share: float) -> None:
    """Wait until so much of it was accepted."""

    async def enough() -> bool:
        return len(flood.replies) >= SENDS * share

    await wait_until(enough, within=120)


@pytest.mark.timeout(sized(120, 400))
async def test_mongodb_is_killed(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel, chance: Random
) -> None:
    """In mid-flight, and started again: sends are `unavailable` meanwhile, and each accepted reply has its end."""
    with engine_run(tmp_path / "engine", "mongodb") as database:
        assert database.urls.mongodb
        house = new_house(tmp_path, engines, model, CHAT_MONGODB_URL=database.urls.mongodb, **LEASE)
        async with house.pair() as (web, _):
            flood = Flood([web.url])
            sending = asyncio.create_task(flood.send(SENDS, TEXT))
            await accepted(flood, chance.uniform(0.1, 0.5))
            pid = mongod_of(database)
            os.kill(pid, signal.SIGKILL)

            async def back() -> bool:
                return mongod_of(database) not in (0, pid)

            await wait_until(back, within=60)
            await sending
            await flood.until_ended(SAID)
            print(
                f"{len(flood.replies)} accepted, {len(flood.refused)} refused, {flood.lost} without an answer"
            )
            assert len(flood.replies) == SENDS
            assert house.bugs == []


async def _restart(valkey: PrivateValkey) -> None:
    await valkey.kill()
    await valkey.start()


async def _lose_everything(valkey: PrivateValkey) -> None:
    await valkey.kill()
    valkey.empty()
    await valkey.start()


@pytest.mark.timeout(sized(120, 400))
@pytest.mark.parametrize("lose", [_restart, _lose_everything], ids=["with its file", "empty"])
@pytest.mark.parametrize("with_worker", [False, True], ids=["alone", "and a worker"])
async def test_valkey_is_killed(
    tmp_path: Path,
    engines: EngineURLs,
    model: TalkingModel,
    chance: Random,
    lose: Callable[[PrivateValkey], Awaitable[None]],
    *,
    with_worker: bool,
) -> None:
    """The queue is rebuilt from the store: what waits, and what is worked on by somebody who died as well."""
    async with private_valkey(tmp_path) as valkey:
        house = new_house(tmp_path, engines, model, CHAT_REDIS_URL=valkey.url, **LEASE)
        async with house.web() as web, workers(house, 2) as crew:
            flood = Flood([web.url])
            sending = asyncio.create_task(flood.send(SENDS, TEXT))
            await accepted(flood, chance.uniform(0.1, 0.6))
            if with_worker:
                await crew.kill(chance.randrange(2))
            await lose(valkey)
            await sending
            await flood.until_ended(SAID)
            print(f"{len(flood.replies)} accepted, {len(flood.refused)} refused, {flood.lost} lost")
            assert len(flood.replies) == SENDS
            assert house.bugs == []


async def test_a_web_process_dies_between_commit_and_queue(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """It was stored and its sender never heard so: it is found, queued and answered; sent again, it is a duplicate."""
    house = new_house(tmp_path, engines, model)
    async with house.pair() as (other, worker), house.web("tests.support.dying_web") as dying:
        async with http(dying.url) as ada:
            conversation = await ada.conversation()
            path = f"/v1/conversations/{conversation}/messages"
            said = {"text": "say 9 tokens, and die here", "key": "k"}
            with pytest.raises(httpx2.TransportError):
                await ada.client.post(path, json=said)
            assert await dying.ended() == 9
        async with http(other.url, ada.token) as again, chat(other.url, ada.token) as device:
            await device.subscribe(conversation)
            [_, reply] = await again.messages(conversation)
            answer = await again.post(path, said, status=202)
            assert (answer["duplicate"], answer["reply"]) == (True, reply["id"])
            while not device.reader.has_ended(reply["id"]):
                await device.read()
            assert device.reader.texts[reply["id"]] == spoken(9)
        assert len(worker.events("accepted, not in the queue: mending")) == 1


async def test_a_reply_past_its_deadline_ends(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """Whoever makes it stops when its time is over; the text stays, and the provider is left."""
    question = "say 7 tokens, then fall silent past the deadline"
    house = new_house(tmp_path, engines, model, CHAT_REPLY_SECONDS="2")
    async with house.pair() as (web, _), http(web.url) as ada:
        conversation = await ada.conversation()
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            reply = (await device.send(conversation, question))["reply"]
            end = await device.until_end(reply)
            assert (end["type"], end["code"]) == ("reply.failed", "deadline_exceeded")
            assert device.reader.texts[reply] == spoken(7)
        told = await ada.get(f"/v1/replies/{reply}")
        assert (told["status"], told["step"]) == ("failed", "generating")

        async def left() -> bool:
            return model.was_left(question)

        await wait_until(left)


async def test_a_slow_provider_holds_up_no_other(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """All places but those of the other lane are taken by a provider that says nothing; the other answers at once."""
    more = {"LMSTUDIO_BASE_URL": model.base_url, "CHAT_WORKER_CONCURRENCY": "4"}
    house = new_house(tmp_path, engines, model, **more)
    house.young = 60  # the slow provider's replies are on their way for ever
    async with house.pair() as (web, _), http(web.url) as ada:
        slow = [await ada.conversation() for _ in range(8)]
        quick = await ada.conversation()
        async with chat(web.url, ada.token) as device:
            for conversation in slow:
                await device.send(
                    conversation, "say 0 tokens, then fall silent", reply={"provider": "lmstudio"}
                )
            await device.subscribe(quick)
            reply = (await device.send(quick, "say 5 tokens"))["reply"]
            async with asyncio.timeout(10):
                assert (await device.until_end(reply))["type"] == "reply.completed"


async def test_the_sweeper_is_one_process(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> None:
    """Of three workers one holds the lease; when it dies, another does."""
    house = new_house(tmp_path, engines, model)
    async with workers(house, 3) as crew, Redis.from_url(house.redis_url) as redis:

        async def holder() -> str:
            return ((await redis.get("lease:sweeper")) or b"").decode()

        async def held() -> bool:
            return bool(await holder())

        await wait_until(held)
        first = await holder()
        index = next(n for n, one in enumerate(crew.processes) if first.endswith(f"-{one.pid}"))
        await crew.kill(index)

        async def another() -> bool:
            return await holder() not in ("", first)

        await wait_until(another)
