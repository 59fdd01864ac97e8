"""Valkey dies in the middle of replies and comes back as it was, dies again and comes back empty: nothing is lost."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from server.embedded.engines import EngineURLs
from tests.support.chaos import sized
from tests.support.client import Http, http
from tests.support.house import new_house
from tests.support.instances import instances
from tests.support.private_valkey import private_valkey
from tests.support.talking_model import TalkingModel, spoken
from tests.support.waiting import wait_until
from tests.support.wanderer import Wanderer, told

CONVERSATIONS = sized(4, 20)
CLIENTS = sized(12, 120)
TOKENS = sized(200, 1500)
PER_SECOND = 60
AT_ONCE = sized(3, 12)
"""Replies in the worker: the others wait in the queue when it is lost."""


@pytest.mark.timeout(sized(90, 300))
async def test_all_end_exact(
    engines: EngineURLs, model: TalkingModel, tmp_path: Path, chance: Random
) -> None:
    """Clients that stay and clients that wander, on two instances; and what is accepted meanwhile is answered."""
    async with private_valkey(tmp_path) as valkey:
        house = new_house(tmp_path, engines, model, CHAT_REDIS_URL=valkey.url)
        worker = house.worker(CHAT_WORKER_CONCURRENCY=str(AT_ONCE))
        async with instances(house, 2) as fleet, worker, http(fleet.urls[0]) as ada:
            conversations = [await ada.conversation() for _ in range(CONVERSATIONS)]
            text = f"say {TOKENS} tokens at {PER_SECOND}/s"
            replies: dict[str, str] = {}
            for name in conversations:
                path = f"/v1/conversations/{name}/messages"
                replies[name] = (await ada.post(path, {"text": text}, status=202))["reply"]
            wanderers = [
                Wanderer(
                    fleet.urls, ada.token, conversations[n % CONVERSATIONS], Random(chance.random()), n % 3
                )
                for n in range(CLIENTS)
            ]
            following = [asyncio.create_task(one.until_ended(replies[one.conversation])) for one in wanderers]
            for empty, share in ((False, chance.uniform(0.1, 0.4)), (True, chance.uniform(0.5, 0.8))):
                await _have_come_to(wanderers, share)
                await valkey.kill()
                alone = await ada.conversation()
                path = f"/v1/conversations/{alone}/messages"
                replies[alone] = (await ada.post(path, {"text": text}, status=202))["reply"]
                if empty:
                    valkey.empty()
                await valkey.start()
            await asyncio.gather(*following)
            stored = [await _ended(ada, name, reply) for name, reply in replies.items()]
    print(f"{CLIENTS} clients: {told(wanderers)}")
    assert {message["text"] for message in stored} == {spoken(TOKENS)}
    assert {message["status"] for message in stored} == {"completed"}
    for wanderer in wanderers:
        assert wanderer.reader.texts[replies[wanderer.conversation]] == spoken(TOKENS)


async def _ended(ada: Http, conversation: str, reply: str) -> dict[str, Any]:
    """Wait for a reply's end; the message as it is stored."""

    async def has_ended() -> bool:
        return (await ada.message(conversation, reply))["status"] in {"completed", "failed", "cancelled"}

    await wait_until(has_ended)
    return await ada.message(conversation, reply)


async def _have_come_to(wanderers: Sequence[Wanderer], share: float) -> None:
    """Wait until the first of them has so much of its text."""
    place = share * len(spoken(TOKENS))

    async def is_there() -> bool:
        return any(len(text) > place for one in wanderers for text in one.reader.texts.values())

    await wait_until(is_there, within=60)
