"""Whoever follows the events is killed, again and again, while people write: nothing is missing, nothing is twice."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.embedded.engines import EngineURLs
from tests.support.chaos import sized
from tests.support.client import Http, http
from tests.support.house import House, new_house
from tests.support.reading import Library, opened
from tests.support.talking_model import TalkingModel
from tests.support.waiting import wait_until

COLLECTIONS = {"transcript": "transcript", "conversations": "conversation_list", "search": "search"}
"""By projection."""


@asynccontextmanager
async def writing(ada: Http, chance: random.Random, written: list[str]) -> AsyncGenerator[None]:
    """Write all the while: new conversations, messages with and without replies, other members, deletions."""
    conversations = [await ada.conversation() for _ in range(3)]
    stopping = asyncio.Event()

    async def write() -> None:
        while not stopping.is_set():
            conversation = chance.choice(conversations)
            path = f"/v1/conversations/{conversation}"
            match chance.randrange(20):
                case 0:
                    conversations.append(await ada.conversation())
                case 1:
                    members = chance.choice([[], ["usr_grace"]])
                    await ada.ask("PATCH", path, {"members": members})
                case 2 if len(conversations) > 3:
                    conversations.remove(conversation)
                    await ada.ask("DELETE", path, status=204)
                case _:
                    reply: Any = {} if chance.random() < 0.3 else False
                    text = chance.choice(["say 5 tokens", "The old moon", "La luna llena", "ok"])
                    said = {"text": f"{text} {len(written)}", "reply": reply}
                    sent = await ada.post(f"{path}/messages", said, 202)
                    written.append(sent["message"])
            await asyncio.sleep(chance.uniform(0, 0.02))

    task = asyncio.create_task(write())
    try:
        yield
    finally:
        stopping.set()
        await task


async def equal_a_rebuild(house: House, library: Library) -> None:
    """Every projection, field by field, is what the stored events make from nothing."""
    live = {name: await library.rows(where) for name, where in COLLECTIONS.items()}
    for name in COLLECTIONS:
        run = await asyncio.to_thread(house.run, "replay", name)
        assert run.returncode == 0, run.stderr
    again = {name: await library.rows(where) for name, where in COLLECTIONS.items()}
    assert again == live
    for name, rows in live.items():
        assert rows, name


@pytest.mark.timeout(sized(120, 500))
async def test_a_projector_is_killed_while_people_write(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel, chance: random.Random
) -> None:
    """However often: when it has caught up, all projections equal a rebuild from zero."""
    house = new_house(tmp_path, engines, model)
    written: list[str] = []
    async with house.web() as web, http(web.url) as ada:
        async with writing(ada, chance, written):
            for _ in range(sized(3, 30)):
                async with house.worker() as worker:
                    await worker.until_says('"event": "following"', times=3)
                    await asyncio.sleep(chance.uniform(0, 0.5))  # it dies when it dies
                    worker.kill()
                    await worker.ended()
        async with house.worker(), opened(house) as library:
            await until_quiet(library)
            await equal_a_rebuild(house, library)
            transcript = {row["_id"] for row in await library.rows("transcript")}
            assert transcript >= set(written)


async def until_quiet(library: Library) -> None:
    """Wait until every reply has ended and every event is applied."""

    async def quiet() -> bool:
        open_replies = {"status": {"$in": ["queued", "running"]}}
        if await library.client[library.name]["replies"].find_one(open_replies):
            return False
        found = await library.checkpoints.progress(list(COLLECTIONS))
        return all(one.lag == 0 and one.holder for one in found)

    await wait_until(quiet, within=60)


async def test_nobody_follows_and_sends_go_on(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """Without a worker, messages are accepted and read; all is found once there is one."""
    house = new_house(tmp_path, engines, model)
    async with house.web() as web, http(web.url) as ada:
        conversation = await ada.conversation()
        path = f"/v1/conversations/{conversation}/messages"
        for number in range(20):
            await ada.post(path, {"text": f"zeppelin {number}", "reply": False}, 202)
        assert len(await ada.messages(conversation)) == 20
        assert (await ada.get("/v1/search?q=zeppelin"))["total"] == 0
        async with house.worker():

            async def all_found() -> bool:
                return (await ada.get("/v1/search?q=zeppelin"))["total"] == 20

            await wait_until(all_found)
