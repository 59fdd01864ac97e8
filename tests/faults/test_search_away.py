"""Search dies, or whoever indexes does: sends do not notice, and all is found once they are back."""

import asyncio
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest

from server.embedded.engines import EngineURLs
from tests.support.chaos import sized
from tests.support.client import Http, http
from tests.support.house import House, new_house
from tests.support.meilisearch import KEY, StandIn, serving
from tests.support.talking_model import TalkingModel
from tests.support.waiting import wait_until


def house_on(url: str, folder: Path, engines: EngineURLs, model: TalkingModel) -> House:
    """A house that searches with Meilisearch."""
    settings = {"CHAT_MEILISEARCH_URL": url, "CHAT_MEILISEARCH_KEY": KEY}
    return new_house(folder, engines, model, **settings)


async def say(ada: Http, conversation: str, count: int) -> list[str]:
    """Send so many messages; their ids."""
    path = f"/v1/conversations/{conversation}/messages"
    said = {"text": "a zeppelin", "reply": False}
    return [(await ada.post(path, said, 202))["message"] for _ in range(count)]


async def until_found(ada: Http, expected: list[str]) -> None:
    """Wait until exactly these are found."""

    async def all_of_them() -> bool:
        response = await ada.client.get("/v1/search", params={"q": "zeppelin", "limit": 100})
        return response.status_code == 200 and sorted(hit["id"] for hit in response.json()["hits"]) == sorted(
            expected
        )

    await wait_until(all_of_them, within=60)


async def test_meilisearch_is_killed(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> None:
    """Sends, replies and history go on; search says when to come again; what was said meanwhile is found then."""
    stand_in = StandIn()
    running = serving(stand_in)
    url = await running.__aenter__()
    house = house_on(url, tmp_path, engines, model)
    async with house.pair() as (web, _), http(web.url) as ada:
        conversation = await ada.conversation()
        sent = await say(ada, conversation, 5)
        await until_found(ada, sent)
        for _ in range(sized(2, 10)):
            await running.__aexit__(None, None, None)
            problem = await ada.get("/v1/search?q=zeppelin", 503)
            assert problem["code"] == "unavailable"
            assert problem["retry_after"] > 0
            sent += await say(ada, conversation, 5)
            assert {message["id"] for message in await ada.messages(conversation)} >= set(sent[-5:])
            reply = await ada.post(
                f"/v1/conversations/{conversation}/messages", {"text": "say 5 tokens"}, 202
            )

            async def completed(reply: str = reply["reply"]) -> bool:
                return (await ada.get(f"/v1/replies/{reply}"))["status"] == "completed"

            await wait_until(completed)
            assert (await ada.client.get("/readyz")).status_code == 200
            running = serving(stand_in, urlsplit(url).port or 0)
            await running.__aenter__()
            await until_found(ada, sent)
        await running.__aexit__(None, None, None)
    assert stand_in.faults == []
    assert house.bugs == []


@pytest.mark.timeout(sized(120, 500))
async def test_a_worker_is_killed_while_it_indexes(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel, chance: Random
) -> None:
    """In the first building of the index or after it: the next worker leaves nothing out."""
    stand_in = StandIn()
    async with serving(stand_in) as url:
        house = house_on(url, tmp_path, engines, model)
        async with house.web() as web, http(web.url) as ada:
            conversation = await ada.conversation()
            sent = await say(ada, conversation, 10)
            for _ in range(sized(3, 20)):
                tasks = len(stand_in.tasks)
                async with house.worker() as worker:

                    async def begun(tasks: int = tasks) -> bool:
                        return len(stand_in.tasks) > tasks

                    sent += await say(ada, conversation, 3)
                    await wait_until(begun, within=60)
                    await asyncio.sleep(chance.uniform(0, 0.2))  # it dies when it dies
                    worker.kill()
                    await worker.ended()
            async with house.worker():
                await until_found(ada, sent)
        assert stand_in.faults == []


async def test_mongodb_s_index_lags(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> None:
    """Whoever indexes stands still: sends do not notice, search answers with what it has, the rest arrives later."""
    house = new_house(tmp_path, engines, model)
    async with house.web() as web, http(web.url) as ada:
        conversation = await ada.conversation()
        async with house.worker() as worker:
            sent = await say(ada, conversation, 5)
            await until_found(ada, sent)
            worker.freeze()
            later = await say(ada, conversation, 20)
            assert (await ada.get("/v1/search?q=zeppelin"))["total"] == len(sent)
            worker.thaw()
            await until_found(ada, sent + later)
