"""What a journey leaves behind: no secret anywhere, and no key in Redis that nobody would ever take away."""

import json
from typing import Any, cast

from bson import json_util
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from tests.support.client import Http, chat
from tests.support.house import API_KEY, SECRET, House
from tests.support.talking_model import FINISHER

PERMANENT = (b"queue:",)
"""Prefixes of keys without a time to live: accepted work has none."""


async def a_journey(house: House, http: Http) -> str:
    """Completed, failed, cancelled; the frames that came, as one text."""
    conversation = await http.conversation()
    async with chat(house.here, http.token) as device:
        await device.subscribe(conversation)
        instead = {"provider": "openai", "fallbacks": [{"provider": "lmstudio", "model": FINISHER}]}
        for text in ("say 10 tokens", "refuse with 401", "refuse with 500", "say 9 tokens, then break off"):
            sent = await device.send(conversation, text)
            await device.until_end(sent["reply"])
            sent = await device.send(conversation, text, reply=instead)
            await device.until_end(sent["reply"])
        sent = await device.send(conversation, "say 4 tokens, then fall silent")
        await device.until_text(sent["reply"])
        await device.ask("cancel", reply=sent["reply"])
        await device.until_end(sent["reply"])
        await device.ask("send", conversation=conversation, text="")
    paths = [f"/v1/replies/{reply}" for reply in device.reader.ends]
    answers = [await http.client.get(path) for path in (*paths, "/v1/models", "/metrics", "/openapi.json")]
    return json.dumps(device.heard[1:]) + "".join(answer.text for answer in answers)


async def all_stored(house: House) -> str:
    """Every document of the house's database."""
    client: AsyncMongoClient[dict[str, Any]]
    async with AsyncMongoClient(house.mongodb_url) as client:
        database = client[house.environment["CHAT_MONGODB_DATABASE"]]
        names = await database.list_collection_names()
        return "".join([json_util.dumps(await database[name].find().to_list()) for name in names])


async def all_in_redis(redis: Any) -> bytes:
    """Every value of the house's queue and logs."""

    async def sorted_set(key: bytes) -> Any:
        return await redis.zrange(key, 0, -1)

    reads = {
        b"stream": redis.xrange,
        b"hash": redis.hgetall,
        b"string": redis.get,
        b"zset": sorted_set,
    }
    found: list[Any] = []
    async for key in redis.scan_iter(count=1000):
        kind = await redis.type(key)
        if kind != b"none":  # gone since it was listed
            found.append((key, await reads[kind](key)))
    return repr(found).encode()


async def test_no_secret_is_left_anywhere(house: House, ada: Http) -> None:
    """Not in a frame, an answer, a log, a document or a key, even where the provider quotes our key to us."""
    frames = await a_journey(house, ada)
    async with Redis.from_url(house.redis_url) as redis:
        places = {
            "frames and answers": frames,
            "logs": house.said,
            "database": await all_stored(house),
            "redis": (await all_in_redis(redis)).decode(),
            "metrics": (await ada.client.get("/metrics")).text,
        }
    found = [
        (place, name) for place, text in places.items() for name, secret in secrets(ada) if secret in text
    ]
    assert found == []
    assert all(places.values())


def secrets(http: Http) -> list[tuple[str, str]]:
    """What must not be found."""
    return [("key of the provider", API_KEY), ("our own secret", SECRET), ("token", http.token)]


async def test_every_redis_key_has_an_end(house: House, ada: Http) -> None:
    """A time to live, or a place on the list of the permanent ones."""
    await a_journey(house, ada)
    async with Redis.from_url(house.redis_url) as redis:
        keys = cast("list[bytes]", [key async for key in redis.scan_iter(count=1000)])
        forever = {key for key in keys if await redis.ttl(key) == -1}
    assert any(key.startswith(b"log:") for key in keys)
    assert {key for key in forever if not key.startswith(PERMANENT)} == set()
