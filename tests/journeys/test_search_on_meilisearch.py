"""A house that searches with Meilisearch, and one that changes its mind: what its operator sees."""

import asyncio
from pathlib import Path

import httpx2

from server.embedded.engines import EngineURLs
from tests.journeys.test_search import until_found
from tests.support.client import http
from tests.support.house import new_house
from tests.support.meilisearch import KEY, StandIn, serving
from tests.support.talking_model import TalkingModel


async def test_doctor_and_replay(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> None:
    """The index is rebuilt while the house runs; the doctor names the engine, and says when it is away."""
    stand_in = StandIn()
    measured = {"CHAT_WORKER_METRICS_PORT": "0", "CHAT_MEILISEARCH_KEY": KEY}
    house = new_house(tmp_path, engines, model, **measured)
    async with serving(stand_in) as url:
        house.environment |= {"CHAT_MEILISEARCH_URL": url, "CHAT_MEILISEARCH_PUBLIC_URL": url}
        async with house.pair() as (web, worker), http(web.url) as ada:
            conversation = await ada.conversation()
            said = {"text": "The observatory is closed", "reply": False}
            await ada.post(f"/v1/conversations/{conversation}/messages", said, 202)
            [hit] = await until_found(ada, "q=observatroy")
            assert hit["seq"] == 1
            for index in stand_in.indexes.values():
                index.rows.clear()  # its disk is lost
            assert (await ada.get("/v1/search?q=observatory"))["total"] == 0
            run = await asyncio.to_thread(house.run, "replay", "search")
            assert run.returncode == 0, run.stderr
            assert "in its place" in run.stdout
            assert [one["id"] for one in await until_found(ada, "q=observatory")] == [hit["id"]]
            metrics = (await ada.client.get(worker.events("measuring")[0]["url"])).text
            assert "tertulia_search_left_out_total 0.0" in metrics
            assert "tertulia_search_failed_total" in metrics
            told = await asyncio.to_thread(house.run, "doctor")
            assert "Meilisearch 1.15.2" in told.stdout
            assert f"browsers search by themselves at {url}" in " ".join(told.stdout.split())
            assert KEY not in told.stdout
            access = await ada.post("/v1/search/token", {}, 201)
            assert (access["url"], set(access)) == (url, {"url", "index", "token", "expires_at"})
            headers = {"Authorization": f"Bearer {access['token']}"}
            wanted = {"q": "observatory", "page": 1, "hitsPerPage": 20}
            async with httpx2.AsyncClient(headers=headers, trust_env=False) as browser:
                answer = await browser.post(f"{url}/indexes/{access['index']}/search", json=wanted)
            assert [one["id"] for one in answer.json()["hits"]] == [hit["id"]]
    told = await asyncio.to_thread(house.run, "doctor")
    assert told.returncode == 1
    assert "Check CHAT_MEILISEARCH_URL" in told.stdout
    assert stand_in.faults == []


async def test_another_engine_is_filled_by_itself(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """From MongoDB to Meilisearch and back: what was said under the other one is found."""
    stand_in, house = StandIn(), new_house(tmp_path, engines, model)
    async with serving(stand_in) as url:
        settings = {"CHAT_MEILISEARCH_URL": url, "CHAT_MEILISEARCH_KEY": KEY}
        token = ""
        for count, chosen in enumerate(({}, settings, {}), 1):
            house.environment |= {"CHAT_MEILISEARCH_URL": "", "CHAT_MEILISEARCH_KEY": ""} | chosen
            async with house.pair() as (web, _), http(web.url, token) as ada:
                token = ada.token
                conversation = await ada.conversation()
                said = {"text": "a caravel", "reply": False}
                await ada.post(f"/v1/conversations/{conversation}/messages", said, 202)
                assert len(await until_found(ada, "q=caravel", count)) == count
                refused = await ada.post("/v1/search/token", {}, status=409)
                assert refused["code"] == "no_direct_search"  # no address for browsers, or no such engine
    assert stand_in.faults == []
