"""What is told of a call beside its answer: under which name, with what left out, and never with which key."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from server.embedded.engines import EngineURLs
from tests.support.client import Http, chat, http
from tests.support.house import API_KEY, SECRET, House, new_house
from tests.support.talking_model import FINISHER, TalkingModel, request_id

OTHER_KEY = "sk-ant-that-nobody-may-ever-see"


async def test_the_request_id_travels(house: House, ada: Http) -> None:
    """The name under which the provider's support finds a request stands in the end, in the store and in the reply."""
    conversation = await ada.conversation()
    text = "say 3 tokens, under a name"
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        reply = (await device.send(conversation, text))["reply"]
        end = await device.until_end(reply)
    stored = await ada.message(conversation, reply)
    told = await ada.get(f"/v1/replies/{reply}")
    named = [one["provenance"][0]["request_id"] for one in (end, stored, told)]
    assert named == [request_id(text)] * 3


async def test_whoever_takes_over_says_what_it_does_not_take(house: House, ada: Http) -> None:
    """The notice comes with the `reply.started` of the model that it concerns, and of no other."""
    conversation = await ada.conversation()
    said = {"temperature": 0.3, "top_p": 0.5, "fallbacks": [{"provider": "openai", "model": "gpt-5-mini"}]}
    question = f"say 9 tokens, then break off ({conversation})"
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        sent = await device.send(conversation, question, reply=said)
        await device.until_end(sent["reply"])
        starts = [frame for frame in device.heard if frame["type"] == "reply.started"]
    assert [start["model"] for start in starts] == ["talker-1", "gpt-5-mini"]
    notices = [f"gpt-5-mini does not take {name}; it was left out." for name in ("temperature", "top_p")]
    assert [start.get("notices") for start in starts] == [None, notices]
    asked = house.model.requests_for(question)
    assert ("temperature" in asked[0], "temperature" in asked[1]) == (True, False)


async def test_a_talk_that_is_too_long_is_never_refused(house: House, ada: Http) -> None:
    """The oldest messages go first, the instructions and the last one never, and it is told how many went."""
    character = await ada.post(
        "/v1/characters", {"name": "Owl", "system_prompt": "You are an owl."}, status=201
    )
    conversation = await ada.conversation(character=character["id"], settings={"context_window": 512})
    path = f"/v1/conversations/{conversation}/messages"
    for number in range(30):
        words = f"Number {number}. " + "word " * 40
        await ada.post(path, {"text": words, "reply": False}, status=202)
    last = "say 4 tokens, whatever was said before." + " word" * 40
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        reply = (await device.send(conversation, last))["reply"]
        assert (await device.until_end(reply))["type"] == "reply.completed"
        [waiting] = [frame for frame in device.heard if frame.get("stage") == "waiting"]
    [asked] = house.model.requests_for(last)
    first, *messages = asked["messages"]
    assert (first["role"], "You are an owl." in first["content"]) == ("system", True)
    numbers = [int(number) for one in messages for number in re.findall(r"Number (\d+)\.", one["content"])]
    assert numbers == list(range(30 - len(numbers), 30))
    assert messages[-1]["content"] == last
    assert 0 < len(numbers) < 30
    assert waiting["left_out"] == 30 - len(numbers)


async def test_keys_are_nowhere(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> None:
    """Answers, refusals that quote the key, a takeover and a rest: no key is in anything that was written or said."""
    more = {"ANTHROPIC_BASE_URL": f"{model.url}/nowhere", "ANTHROPIC_API_KEY": OTHER_KEY}
    more |= {"LMSTUDIO_BASE_URL": model.base_url, "CHAT_BREAKER_FAILURES": "2", "CHAT_RETRIES": "0"}
    house = new_house(tmp_path, engines, model, **more)
    said: list[Any] = []
    async with house.pair() as (web, _), http(web.url) as ada:
        conversation = await ada.conversation()
        fallback = {"fallbacks": [{"provider": "lmstudio", "model": FINISHER}]}
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            for text, settings in (
                ("say 3 tokens", {}),
                *((f"refuse with {status}", {}) for status in (400, 401, 403, 404, 429, 500, 503)),
                ("say 30 tokens, then break off", fallback),
                ("say 4 tokens", {"provider": "anthropic"}),
            ):
                await device.until_end((await device.send(conversation, text, reply=settings))["reply"])
            said.append(device.heard)
        for path in ("/v1/models", "/v1/me", f"/v1/conversations/{conversation}/audit", "/openapi.json"):
            said.append(await ada.get(path))
        said.append((await ada.client.get("/metrics")).text)
        said += [house.run(*command).stdout for command in (("doctor",), ("events", conversation))]
        said += [await _stored(house), await _kept(house)]
    said += _files(tmp_path)
    everything = repr(said)
    assert "provider rests" in everything
    assert "provider_unauthorized" in everything
    for key in (API_KEY, OTHER_KEY, SECRET):
        assert key not in everything


async def _stored(house: House) -> list[Any]:
    """All that is in its database."""
    async with AsyncMongoClient[dict[str, Any]](house.mongodb_url) as client:
        database = client[house.environment["CHAT_MONGODB_DATABASE"]]
        return [await database[name].find().to_list() for name in await database.list_collection_names()]


async def _kept(house: House) -> list[Any]:
    """All that is in its Redis."""
    async with Redis.from_url(house.redis_url) as redis:
        ways: dict[bytes, Callable[[bytes], Awaitable[Any]]] = {
            b"string": redis.get,
            b"hash": redis.hgetall,
            b"list": lambda key: redis.lrange(key, 0, -1),
            b"set": redis.smembers,
            b"zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
            b"stream": redis.xrange,
        }
        kinds = [(key, await redis.type(key)) async for key in redis.scan_iter(count=1000)]
        return [(key, await ways[kind](key)) for key, kind in kinds if kind in ways]


def _files(folder: Path) -> list[str]:
    """All that is on its disk."""
    return [path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()]
