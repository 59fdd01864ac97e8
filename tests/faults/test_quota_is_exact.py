"""A user's quota is neither exceeded nor lost, whoever dies. (The audit at each house's end compares the accounts.)"""

import asyncio
from pathlib import Path
from random import Random

import httpx2
import pytest

from server.embedded.engines import EngineURLs
from tests.support.chaos import sized
from tests.support.client import Http, http
from tests.support.house import new_house
from tests.support.instances import instances
from tests.support.talking_model import TalkingModel
from tests.support.waiting import wait_until
from tests.support.workers import workers

LIMIT = 4
SENDERS = 12
ROUNDS = sized(2, 15)


async def send(door: Http, conversation: str, text: str) -> str:
    """Send once: accepted, refused by the quota, or without an answer because the web process died."""
    try:
        path = f"/v1/conversations/{conversation}/messages"
        answer = await door.client.post(path, json={"text": text})
    except httpx2.TransportError:
        return "lost"
    if answer.status_code == 202:
        return "accepted"
    assert answer.status_code == 429, answer.text
    assert answer.json()["code"] == "quota_exceeded"
    return "refused"


async def test_many_at_once_have_no_more_than_one_may(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """Of twelve that are sent at once over two instances, four are accepted."""
    house = new_house(tmp_path, engines, model, CHAT_QUOTA_REPLIES=str(LIMIT))
    house.young = 60
    async with instances(house, 2) as fleet, http(fleet.urls[0]) as ada:
        async with http(fleet.urls[1], ada.token) as there:
            doors = [ada, there] * (SENDERS // 2)
            places = [await ada.conversation() for _ in doors]
            told = await asyncio.gather(
                *(send(*at, "say 3 tokens") for at in zip(doors, places, strict=True))
            )
        assert (told.count("accepted"), told.count("refused")) == (LIMIT, SENDERS - LIMIT)
        assert (await ada.get("/v1/me"))["quota"]["replies"] == {"used": LIMIT, "left": 0, "limit": LIMIT}
        assert house.bugs == []


@pytest.mark.timeout(sized(120, 500))
async def test_nothing_is_held_after_the_dead(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel, chance: Random
) -> None:
    """Web processes and workers are killed while people send; when all has ended, all is given back."""
    limits = {"CHAT_QUOTA_REPLIES": str(LIMIT), "CHAT_QUOTA_TOKENS": "1000000"}
    house = new_house(tmp_path, engines, model, CHAT_LEASE_SECONDS="2", **limits)
    async with instances(house, 2) as fleet, workers(house, 2) as crew, http(fleet.urls[0]) as ada:
        places = [await ada.conversation() for _ in range(SENDERS)]
        for _ in range(ROUNDS):
            async with http(fleet.urls[0], ada.token) as here, http(fleet.urls[1], ada.token) as there:
                doors = [here, there] * (SENDERS // 2)
                sending = [
                    # None ends, and gives its place to another, before all are sent.
                    asyncio.create_task(send(*at, "say 30 tokens at 10/s"))
                    for at in zip(doors, places, strict=True)
                ]
                await asyncio.sleep(chance.uniform(0, 0.2))
                await asyncio.gather(fleet.kill(chance.randrange(2)), crew.kill(chance.randrange(2)))
                told = await asyncio.gather(*sending)
                assert told.count("accepted") <= LIMIT
            await crew.full()
            async with http(fleet.urls[0], ada.token) as back:

                async def free() -> bool:
                    return (await back.get("/v1/me"))["quota"]["replies"]["used"] == 0

                await wait_until(free, within=60)
        async with http(fleet.urls[0], ada.token) as back:
            tokens = (await back.get("/v1/me"))["quota"]["tokens"]
        assert tokens["held"] == 0
        assert house.bugs == []
