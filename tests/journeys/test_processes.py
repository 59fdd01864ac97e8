"""Processes that are asked to stop: what they have begun is finished, and clients go on elsewhere."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NoReturn

import pytest
from websockets.exceptions import ConnectionClosedError

from server.embedded.engines import EngineURLs
from tests.support.client import Chat, Http, chat, http
from tests.support.house import House, new_house
from tests.support.listener import Listener, listening
from tests.support.talking_model import TalkingModel, spoken


async def read_on(client: Chat | Listener) -> NoReturn:
    """Read until it cannot be read any more, and say how that ended."""
    while True:
        await client.read()


async def test_a_worker_drains(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> None:
    """SIGTERM in mid-reply: the reply is completed by the same attempt, and nothing new is begun."""
    house = new_house(tmp_path, engines, model)
    async with house.pair() as (web, worker), http(web.url) as ada:
        conversation = await ada.conversation()
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            begun = (await device.send(conversation, "say 300 tokens at 100/s"))["reply"]
            await device.until_text(begun)
            worker.terminate()
            await worker.until_says('"event": "draining"')
            waiting = (await device.send(conversation, "say 5 tokens"))["reply"]
            assert (await device.until_end(begun))["type"] == "reply.completed"
            assert await worker.ended() == 0
            assert device.reader.texts[begun] == spoken(300)
            assert "reply.restarted" not in device.reader.types
            while device.reader.status.get(waiting) != "queued":
                await device.read()
            async with house.worker():
                await device.until_end(waiting)
            assert device.reader.texts[waiting] == spoken(5)


async def test_a_web_process_says_goodbye(house: House, ada: Http) -> None:
    """SIGTERM: `going_away`, 1012, the end of the event stream; and all go on exactly on another instance."""
    conversation = await ada.conversation()
    async with house.web() as leaving, http(leaving.url) as guest:
        guest.client.headers["Authorization"] = f"Bearer {ada.token}"
        async with chat(leaving.url, ada.token) as device, listening(guest, conversation) as stream:
            await stream.read()
            await device.subscribe(conversation)
            reply = (await device.send(conversation, "say 300 tokens at 100/s"))["reply"]
            await device.until_text(reply)
            leaving.terminate()
            with pytest.raises(ConnectionClosedError):
                await read_on(device)
            assert device.socket.close_code == 1012
            [goodbye] = [frame for frame in device.heard if frame["type"] == "going_away"]
            assert 0 < goodbye["reconnect_after"] <= 5
            with pytest.raises(StopAsyncIteration):
                await read_on(stream)
        assert await leaving.ended() == 0
    async with chat(house.here, ada.token, device.reader) as device:
        assert (await device.subscribe(conversation, after=device.reader.after))["recovered"]
        await device.until_end(reply)
    async with listening(ada, conversation, stream.last_id, stream.reader) as stream:
        await stream.until_end(reply)
    assert device.reader.texts[reply] == stream.reader.texts[reply] == spoken(300)


async def test_a_crowd_is_not_sent_away_at_once(house: House, ada: Http) -> None:
    """Each is told a moment of its own to come back at, and is served until its own turn to go has come."""
    conversation = await ada.conversation()
    async with house.web(CHAT_DRAIN_SECONDS="2") as leaving, AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(chat(leaving.url, ada.token)) for _ in range(20)]
        for device in crowd:
            await device.subscribe(conversation)
        reply = (await crowd[0].send(conversation, "say 600 tokens at 100/s"))["reply"]
        await crowd[0].until_text(reply)
        leaving.terminate()
        ends = await asyncio.gather(*map(read_on, crowd), return_exceptions=True)
        assert all(isinstance(end, ConnectionClosedError) for end in ends)
        goodbyes = [frame for one in crowd for frame in one.heard if frame["type"] == "going_away"]
        moments = {goodbye["reconnect_after"] for goodbye in goodbyes}
        assert len(goodbyes) == 20
        assert len(moments) > 10
        assert 0.5 <= min(moments) < max(moments) <= 3
        # The log is the clock: they went at different places of it.
        assert len({device.reader.offset for device in crowd}) > 5
        assert await leaving.ended() == 0
        await ada.post(f"/v1/replies/{reply}/cancel", status=202)


async def test_ready_means_delivering(house: House, ada: Http) -> None:
    """Each instance has sent itself an event and got it back; metrics count what is open."""
    assert (await ada.get("/readyz")) == {"status": "ready", "wrong": {}}
    assert (await ada.get("/healthz")) == {"status": "alive"}
    async with chat(house.here, ada.token):
        metrics = (await ada.client.get("/metrics")).text
    sockets = next(line for line in metrics.splitlines() if line.startswith("tertulia_sockets "))
    assert float(sockets.split()[1]) >= 1
