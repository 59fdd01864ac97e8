"""Replies that are owed, and that the queue does not have: whoever sweeps finds them in the store."""

from pathlib import Path

from redis.asyncio import Redis

from server.embedded.engines import EngineURLs
from tests.support.client import chat, http
from tests.support.house import House, new_house
from tests.support.talking_model import TalkingModel, spoken


async def lose_the_queue(house: House) -> None:
    """As if Redis had been restarted empty of it."""
    async with Redis.from_url(house.redis_url) as client:
        assert await client.delete(*await client.keys("queue:*")) > 0


async def test_a_lost_queue_is_filled_again(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> None:
    """The queue loses an accepted job before any worker has seen it: the reply is made all the same, and once."""
    house = new_house(tmp_path, engines, model)
    async with house.web() as web, http(web.url) as ada:
        conversation = await ada.conversation()
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            reply = (await device.send(conversation, "say 5 tokens"))["reply"]
            await lose_the_queue(house)
            async with house.worker() as worker:
                assert (await device.until_end(reply))["type"] == "reply.completed"
                assert len(worker.events("accepted, not in the queue: mending")) == 1
            assert device.reader.texts[reply] == spoken(5)
            assert device.reader.types.count("reply.started") == 1


async def test_what_waits_in_the_queue_is_left_there(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """A reply that waits behind another for longer than a sweep takes is not queued a second time."""
    house = new_house(tmp_path, engines, model)
    async with house.web() as web, http(web.url) as ada:
        conversation = await ada.conversation()
        async with house.worker(CHAT_WORKER_CONCURRENCY="1") as worker, chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            first = (await device.send(conversation, "say 220 tokens at 20/s"))["reply"]
            second = (await device.send(conversation, "say 5 tokens"))["reply"]
            await device.until_end(first)
            await device.until_end(second)
            assert worker.events("accepted, not in the queue: mending") == []
            assert device.reader.types.count("reply.queued") == 2


async def test_what_was_taken_back_is_not_told_again(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """Its reply is owed all the same, and is queued with the place of its message, and without its words."""
    house = new_house(tmp_path, engines, model)
    async with house.web() as web, http(web.url) as ada:
        conversation = await ada.conversation()
        path = f"/v1/conversations/{conversation}/messages"
        sent = await ada.post(path, {"text": "say 5 tokens"}, 202)
        await lose_the_queue(house)
        await ada.ask("DELETE", f"/v1/messages/{sent['message']}", status=204)
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            async with house.worker() as worker:
                await device.until_end(sent["reply"])
                assert len(worker.events("accepted, not in the queue: mending")) == 1
            told = [frame for frame in device.heard if frame["type"] == "message.created"]
            assert [frame["message"]["text"] for frame in told] == [""]
            assert device.reader.types.index("message.created") < device.reader.types.index(
                "message.retracted"
            )
