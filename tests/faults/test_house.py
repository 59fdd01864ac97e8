"""A house in which something dies: what was accepted is kept, and every client ends with exactly the stored text."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from server.embedded.child import Child
from server.embedded.engine import Engine
from server.embedded.engines import EngineURLs
from server.embedded.valkey import valkey
from tests.support.cable import Cable
from tests.support.client import Chat, Http, chat, http, sha256
from tests.support.family import descendants, until_all_gone
from tests.support.house import new_house, up
from tests.support.talking_model import TalkingModel, spoken
from tests.support.waiting import wait_until


@asynccontextmanager
async def running(engine: Engine) -> AsyncIterator[Child]:
    """An engine that runs in the body alone; entered again, it is back under the same address."""
    async with Child(engine.program, lambda line: None) as child:
        await child.wait_ready()
        yield child


async def in_the_middle(device: Chat, conversation: str, tokens: int, pace: int) -> str:
    """Ask for an answer and read until some of it is there; its id."""
    reply = (await device.send(conversation, f"say {tokens} tokens at {pace}/s"))["reply"]
    await device.until_text(reply)
    return reply


async def is_exact(device: Chat, ada: Http, conversation: str, reply: str, text: str) -> None:
    """Read to the end: the text is whole, the same as stored, and proved by the last event."""
    end = await device.until_end(reply)
    assert end["type"] == "reply.completed"
    assert device.reader.texts[reply] == text
    assert end["sha256"] == sha256(text)
    assert (await ada.message(conversation, reply))["text"] == text


async def test_everything_is_killed_at_once(tmp_path: Path, model: TalkingModel) -> None:
    """`kill -9` of `up` leaves no process; the next `up` has all messages, and finishes what was begun."""
    folder = tmp_path / "data"
    async with up(folder, OPENAI_BASE_URL=model.base_url) as house, http(house.url) as ada:
        conversation = await ada.conversation()
        async with chat(house.url, ada.token) as device:
            await device.subscribe(conversation)
            first = (await device.send(conversation, "say 20 tokens"))["reply"]
            await device.until_end(first)
            reply = await in_the_middle(device, conversation, 150, 100)
            family = descendants(house.pid)
            house.kill()
            await until_all_gone(family)
    async with up(folder, OPENAI_BASE_URL=model.base_url) as house, http(house.url) as guest:
        guest.client.headers["Authorization"] = f"Bearer {ada.token}"
        async with chat(house.url, ada.token, device.reader) as again:
            await again.subscribe(conversation, after=device.reader.after)
            await is_exact(again, guest, conversation, reply, spoken(150))
        assert [message["status"] for message in await guest.messages(conversation)] == ["completed"] * 4
        assert (await guest.message(conversation, first))["text"] == spoken(20)
        family = descendants(house.pid)
        house.terminate()
        assert await house.ended() == 0
        await until_all_gone(family)


async def test_a_worker_is_killed(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> None:
    """Another one takes the reply over; the client is told what to keep, on the socket that it has."""
    house = new_house(tmp_path, engines, model)
    async with house.pair() as (web, worker), http(web.url) as ada:
        conversation = await ada.conversation()
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            reply = await in_the_middle(device, conversation, 200, 80)
            worker.kill()
            async with house.worker():
                await is_exact(device, ada, conversation, reply, spoken(200))
        [restarted] = [frame for frame in device.heard if frame["type"] == "reply.restarted"]
        assert restarted["attempt"] == 2
        assert 0 < restarted["keep"] < len(spoken(200))
        assert (await ada.get(f"/v1/replies/{reply}"))["attempt"] == 2
    assert house.bugs == []


async def lose(child: Child, how: signal.Signals) -> None:
    """End a supervised engine, and wait until its supervisor has brought it back."""
    pid = child.pid
    os.kill(pid, how)

    async def back() -> bool:
        return child.pid != pid and await child.program.ready()

    await wait_until(back)


@pytest.mark.parametrize(
    "how", [signal.SIGTERM, signal.SIGKILL, "emptied"], ids=["stopped", "killed", "emptied"]
)
async def test_valkey_is_lost(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel, how: signal.Signals | str
) -> None:
    """In mid-reply, and comes back: the client's socket stays open, and it ends exact."""
    queue = valkey(tmp_path)
    house = new_house(tmp_path, engines, model, CHAT_REDIS_URL=queue.url)
    async with running(queue) as child, house.pair() as (web, _), http(web.url) as ada:
        conversation = await ada.conversation()
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            reply = await in_the_middle(device, conversation, 300, 150)
            if isinstance(how, signal.Signals):
                await lose(child, how)
            else:
                async with Redis.from_url(queue.url) as redis:
                    await redis.flushall()
            await is_exact(device, ada, conversation, reply, spoken(300))
            after = (await device.send(conversation, "say 5 tokens"))["reply"]
            await is_exact(device, ada, conversation, after, spoken(5))
        assert "reply.restarted" not in device.reader.types
        # Whether a server that was started again has all that it acknowledged, nobody can tell: the log begins anew.
        begun_anew = [frame for frame in device.heard if frame["type"] == "subscribed" and "id" not in frame]
        assert len(begun_anew) == 1
    assert house.bugs == []


async def test_mongodb_is_away(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> None:
    """A send is refused as `unavailable`; what a worker has in its hands is saved when the database is back."""
    async with Cable(engines.mongodb or "") as cable:
        url = f"mongodb://{cable.address}/?directConnection=true"
        house = new_house(tmp_path, engines, model, CHAT_MONGODB_URL=url)
        async with house.pair() as (web, _), http(web.url) as ada:
            conversation = await ada.conversation()
            async with chat(web.url, ada.token) as device:
                await device.subscribe(conversation)
                reply = await in_the_middle(device, conversation, 200, 100)
                await cable.pull()
                said = {"text": "Hola", "key": "k"}
                over_http, on_the_socket = await asyncio.gather(
                    ada.client.post(f"/v1/conversations/{conversation}/messages", json=said),
                    device.ask("send", conversation=conversation, **said),
                )
                problem = over_http.json()
                assert (over_http.status_code, problem["code"]) == (503, "unavailable")
                assert int(over_http.headers["retry-after"]) >= 1
                assert (on_the_socket["type"], on_the_socket["code"]) == ("error", "unavailable")
                assert on_the_socket["retry_after"] == problem["retry_after"] > 0
                await cable.plug()
                again = await device.send(conversation, **said)
                assert again["duplicate"] is False
                await is_exact(device, ada, conversation, reply, spoken(200))
                await device.until_end(again["reply"])
            texts = [message["text"] for message in await ada.messages(conversation)]
            assert texts.count("Hola") == 1
    assert house.bugs == []


async def test_a_web_process_dies_before_the_queue_has_it(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """Accepted while the queue was away, by a process that is gone: it is found, queued and answered."""
    async with Cable(engines.redis or "") as cable:
        house = new_house(tmp_path, engines, model)
        cut_off = {"CHAT_REDIS_URL": f"redis://{cable.address}/{house.redis_url.rpartition('/')[2]}"}
        async with house.pair() as (other, _):
            async with house.web(**cut_off) as web, http(web.url) as ada:
                conversation = await ada.conversation()
                await cable.pull()
                path = f"/v1/conversations/{conversation}/messages"
                accepted = await ada.post(path, {"text": "say 9 tokens"}, status=202)
                web.kill()
            async with http(other.url) as guest, chat(other.url, ada.token) as device:
                guest.client.headers["Authorization"] = f"Bearer {ada.token}"
                await device.subscribe(conversation)
                await is_exact(device, guest, conversation, accepted["reply"], spoken(9))
    assert house.bugs == []
