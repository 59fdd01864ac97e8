"""The engines of a test session answer as their URLs promise."""

from pathlib import Path

import httpx2
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from server.embedded.engines import EngineURLs, Wanted, embedded
from server.embedded.model import ALIAS, CONTEXT


async def test_mongodb_has_transactions(mongodb_url: str) -> None:
    """A replica set of one commits a transaction with a majority."""
    async with AsyncMongoClient(mongodb_url) as client, client.start_session() as session:
        async with await session.start_transaction():
            await client.embedded.notes.insert_one({"_id": 1}, session=session)
        assert await client.embedded.notes.count_documents({}) == 1
        await client.drop_database("embedded")


async def test_valkey_keeps_and_never_evicts(redis_url: str) -> None:
    """The append-only file is on, and memory that runs out refuses writes instead of forgetting."""
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        options = await client.config_get("append*", "maxmemory-policy")
    assert options["appendonly"] == "yes"
    assert options["appendfsync"] == "everysec"
    assert options["maxmemory-policy"] == "noeviction"


async def test_model_answers_in_a_chat(model_url: str) -> None:
    """A real model answers under its alias, and within the limit of the request."""
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        messages = [{"role": "user", "content": "What is the capital of France?"}]
        request = {"model": ALIAS, "messages": messages, "max_tokens": 24}
        answer = (await client.post(f"{model_url}/chat/completions", json=request)).json()
    assert answer["choices"][0]["message"]["content"].strip()
    assert 0 < answer["usage"]["completion_tokens"] <= 24
    assert answer["model"] == ALIAS


async def test_model_refuses_what_does_not_fit(model_url: str) -> None:
    """A prompt beyond the context of a slot is refused in words, rather than cut unsaid."""
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        request = {"prompt": "sea " * (CONTEXT + 1)}
        answer = await client.post(f"{model_url}/completions", json=request)
    assert answer.status_code == 400
    assert answer.json()["error"]["n_ctx"] == CONTEXT


async def test_model_is_for_this_house_alone(model_url: str) -> None:
    """It shows no page of its own, and lets no page of another site read its answers."""
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        assert (await client.get(model_url.removesuffix("v1"))).status_code == 404
        answer = await client.get(f"{model_url}/models", headers={"Origin": "https://elsewhere.example"})
    assert answer.headers["access-control-allow-origin"] != "https://elsewhere.example"
    assert answer.headers["access-control-allow-origin"] != "*"


async def test_nothing_is_started_that_is_not_wanted(tmp_path: Path) -> None:
    """With every URL given by the user, the folder is held, and no engine runs."""
    said: list[str] = []
    wanted = Wanted(
        data_dir=tmp_path / "data",
        start_mongodb=False,
        start_valkey=False,
        start_model=False,
        say=said.append,
    )
    async with embedded(wanted) as urls:
        assert urls == EngineURLs(mongodb=None, redis=None, model=None)
        assert (tmp_path / "data" / "lock").exists()
    assert said == []
