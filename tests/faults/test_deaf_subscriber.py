"""An instance whose connections to Valkey carry nothing any more, without being closed: it says so, and heals."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import httpx2
import pytest

from server.embedded.engines import EngineURLs
from tests.support.chaos import sized
from tests.support.client import Http, http
from tests.support.deaf_proxy import DeafProxy, deaf_proxy
from tests.support.house import House, Process, new_house
from tests.support.talking_model import TalkingModel, spoken
from tests.support.waiting import wait_until
from tests.support.wanderer import Wanderer, told

CLIENTS = sized(6, 60)
TOKENS = sized(400, 1500)
PER_SECOND = 60
AWAY_SECONDS = sized(14, 25)


@asynccontextmanager
async def behind_a_proxy(house: House) -> AsyncGenerator[tuple[DeafProxy, Process, Http]]:
    """Run a web process that reaches Redis through a proxy alone."""
    address = urlsplit(house.redis_url)
    assert address.port
    async with deaf_proxy(address.port) as proxy:
        through = f"redis://127.0.0.1:{proxy.listening}{address.path}"
        async with house.web(CHAT_REDIS_URL=through) as web, http(web.url) as ada:
            yield proxy, web, ada


@pytest.mark.timeout(120)
async def test_a_deaf_instance_is_found_and_heals(
    engines: EngineURLs, model: TalkingModel, tmp_path: Path, chance: Random
) -> None:
    """`/readyz` turns 503 and then 200 again, with nobody's help, and its clients end exact."""
    house = new_house(tmp_path, engines, model)
    async with house.worker(), behind_a_proxy(house) as (proxy, web, ada):
        conversation = await ada.conversation()
        wanderers = [
            Wanderer([web.url], ada.token, conversation, Random(chance.random())) for _ in range(CLIENTS)
        ]
        text = f"say {TOKENS} tokens at {PER_SECOND}/s"
        path = f"/v1/conversations/{conversation}/messages"
        reply = (await ada.post(path, {"text": text}, status=202))["reply"]
        following = [asyncio.create_task(one.until_ended(reply)) for one in wanderers]
        await wait_until(lambda: _has_begun(wanderers, reply))
        assert (await ada.client.get("/readyz")).status_code == 200
        stalled, began = proxy.deafen(), time.monotonic()
        assert (await ada.client.get("/readyz")).json()["wrong"].keys() == {"delivery"}
        found = time.monotonic() - began
        await wait_until(lambda: _is_ready(ada.client))
        healed = time.monotonic() - began
        await asyncio.gather(*following)
    print(
        f"{stalled} connections deaf: not ready after {found:.1f} s, well after {healed:.1f} s; {told(wanderers)}"
    )
    assert healed < 10
    assert {wanderer.reader.texts[reply] for wanderer in wanderers} == {spoken(TOKENS)}


@pytest.mark.timeout(120)
async def test_an_instance_that_is_cut_off_comes_back(
    engines: EngineURLs, model: TalkingModel, tmp_path: Path, chance: Random
) -> None:
    """No byte passes for a while, then all that was held back: who is there waits, and what is accepted is answered."""
    house = new_house(tmp_path, engines, model)
    async with house.worker(), behind_a_proxy(house) as (proxy, web, ada):
        conversation, other = await ada.conversation(), await ada.conversation()
        paths = [f"/v1/conversations/{name}/messages" for name in (conversation, other)]
        wanderers = [
            Wanderer([web.url], ada.token, conversation, Random(chance.random())) for _ in range(CLIENTS)
        ]
        text = f"say {TOKENS} tokens at {PER_SECOND}/s"
        reply = (await ada.post(paths[0], {"text": text}, status=202))["reply"]
        following = [asyncio.create_task(one.until_ended(reply)) for one in wanderers]
        await wait_until(lambda: _has_begun(wanderers, reply))
        proxy.part()
        began = time.monotonic()
        assert (await ada.client.get("/readyz")).json()["wrong"].keys() == {"delivery"}
        meanwhile = (await ada.post(paths[1], {"text": "say 7 tokens"}, status=202))["reply"]
        accepted = time.monotonic() - began
        await asyncio.sleep(AWAY_SECONDS - accepted)
        proxy.join()
        began = time.monotonic()
        await wait_until(lambda: _is_ready(ada.client))
        healed = time.monotonic() - began
        await asyncio.gather(*following)
        await wait_until(lambda: _is_stored(ada, other, meanwhile, spoken(7)))
    print(
        f"away for {AWAY_SECONDS} s; a send took {accepted:.1f} s; well {healed:.1f} s after; {told(wanderers)}"
    )
    assert {wanderer.reader.texts[reply] for wanderer in wanderers} == {spoken(TOKENS)}


async def _is_stored(ada: Http, conversation: str, reply: str, text: str) -> bool:
    return (await ada.message(conversation, reply))["text"] == text


async def _has_begun(wanderers: list[Wanderer], reply: str) -> bool:
    return all(wanderer.reader.texts.get(reply) for wanderer in wanderers)


async def _is_ready(client: httpx2.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 200
