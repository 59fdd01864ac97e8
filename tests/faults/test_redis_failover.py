"""The server that holds live logs and queue dies, and its replica takes over: on a cluster, and by a sentinel."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from server.embedded.engines import EngineURLs
from tests.support.chaos import sized
from tests.support.client import http
from tests.support.house import new_house
from tests.support.instances import instances
from tests.support.talking_model import TalkingModel, spoken
from tests.support.valkey_fleet import Server, cluster, watched
from tests.support.waiting import wait_until
from tests.support.wanderer import Wanderer, told

CONVERSATIONS = sized(6, 30)
CLIENTS = sized(12, 90)
TOKENS = sized(300, 1500)
PER_SECOND = 50

Fleet = Callable[[Path], AbstractAsyncContextManager[tuple[str, Server]]]


@asynccontextmanager
async def _cluster(folder: Path) -> AsyncGenerator[tuple[str, Server]]:
    async with cluster(folder, replica=True) as fleet:
        yield fleet.url, fleet.primaries[0]


@asynccontextmanager
async def _watched(folder: Path) -> AsyncGenerator[tuple[str, Server]]:
    async with watched(folder) as fleet:
        yield fleet.url, fleet.primary


FLEETS = sized({"cluster": _cluster}, {"cluster": _cluster, "sentinel": _watched})
HOWS = ["killed", "frozen"]


@pytest.mark.timeout(sized(120, 400))
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("fleet", FLEETS.values(), ids=FLEETS.keys())
async def test_a_replica_takes_over_in_mid_stream(
    engines: EngineURLs, model: TalkingModel, tmp_path: Path, chance: Random, fleet: Fleet, how: str
) -> None:
    """Replies in many conversations, so that some live on the server that dies: all end with the stored text.

    A server that was only frozen comes back in the middle, and takes itself for the primary for a moment.
    """
    async with fleet(tmp_path / "fleet") as (url, victim):
        house = new_house(tmp_path, engines, model, CHAT_REDIS_URL=url)
        async with instances(house, 2) as running, house.worker(), http(running.urls[0]) as ada:
            conversations = [await ada.conversation() for _ in range(CONVERSATIONS)]
            replies: dict[str, str] = {}
            for name in conversations:
                path = f"/v1/conversations/{name}/messages"
                text = {"text": f"say {TOKENS} tokens at {PER_SECOND}/s"}
                replies[name] = (await ada.post(path, text, status=202))["reply"]
            wanderers = [
                Wanderer(
                    running.urls, ada.token, conversations[n % CONVERSATIONS], Random(chance.random()), n % 2
                )
                for n in range(CLIENTS)
            ]
            following = [asyncio.create_task(one.until_ended(replies[one.conversation])) for one in wanderers]
            place = chance.uniform(0.2, 0.5) * len(spoken(TOKENS))

            async def has_come_so_far() -> bool:
                return any(len(text) > place for one in wanderers for text in one.reader.texts.values())

            await wait_until(has_come_so_far, within=60)
            if how == "killed":
                victim.process.signal(signal.SIGKILL)
            else:
                victim.process.signal(signal.SIGSTOP)
                await asyncio.sleep(chance.uniform(3, 12))
                victim.process.signal(signal.SIGCONT)
            await asyncio.gather(*following)
            stored = {name: await ada.message(name, reply) for name, reply in replies.items()}
    print(f"{CLIENTS} clients: {told(wanderers)}")
    assert {message["text"] for message in stored.values()} == {spoken(TOKENS)}
    for wanderer in wanderers:
        assert wanderer.reader.texts[replies[wanderer.conversation]] == spoken(TOKENS)
