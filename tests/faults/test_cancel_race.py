"""Stop, raced against the end: exactly one end, the same for every client and in the store; and stop means stop."""

import asyncio
import time
from functools import partial
from pathlib import Path
from random import Random
from statistics import median

import pytest

from server.embedded.engines import EngineURLs
from tests.support.chaos import sized
from tests.support.client import ENDS, Chat, Http, chat, http
from tests.support.house import new_house
from tests.support.instances import instances
from tests.support.talking_model import TalkingModel
from tests.support.waiting import wait_until

RACES = sized(40, 500)
LANES = 8
QUESTION = "say 6 tokens at 200/s"
LONGEST = 0.12


async def race(asker: Chat, other: Chat, ada: Http, conversation: str, delay: float) -> str:
    """One reply, stopped by the other client after a while; how it ended, for all of them the same."""
    reply = (await asker.send(conversation, QUESTION))["reply"]
    await asyncio.sleep(delay)
    answer = await other.ask("cancel", reply=reply)
    assert answer["type"] == "cancelling" or answer["code"] == "already_ended", answer
    ends = [await client.until_end(reply) for client in (asker, other)]
    assert ends[0] == ends[1]
    for client in (asker, other):
        told = [f for f in client.heard if f.get("reply") == reply and f["type"] in ENDS]
        assert len(told) == 1, told
        assert len(client.reader.texts[reply]) == ends[0]["length"]
    stored = await ada.message(conversation, reply)
    assert f"reply.{stored['status']}" == ends[0]["type"]
    assert stored["text"] == asker.reader.texts[reply]
    return stored["status"]


@pytest.mark.timeout(sized(120, 500))
async def test_stop_is_raced_against_the_end(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel, chance: Random
) -> None:
    """At every moment between accepted and ended, from another client on another instance."""
    house = new_house(tmp_path, engines, model)
    async with instances(house, 2) as fleet, house.worker(), http(fleet.urls[0]) as ada:

        async def lane(races: int) -> list[str]:
            ended: list[str] = []
            while len(ended) < races:
                conversation = await ada.conversation()
                async with chat(fleet.urls[0], ada.token) as asker, chat(fleet.urls[1], ada.token) as other:
                    await asker.subscribe(conversation)
                    await other.subscribe(conversation)
                    for _ in range(min(20, races - len(ended))):
                        delay = chance.uniform(0, LONGEST)
                        ended.append(await race(asker, other, ada, conversation, delay))
            return ended

        shares = [len(range(n, RACES, LANES)) for n in range(LANES)]
        ended = [status for statuses in await asyncio.gather(*map(lane, shares)) for status in statuses]
        print(f"{ended.count('completed')} completed, {ended.count('cancelled')} cancelled")
        assert len(ended) == RACES
        assert set(ended) <= {"completed", "cancelled"}
        assert house.bugs == []


async def _was_left(model: TalkingModel, question: str) -> bool:
    return model.was_left(question)


async def test_the_provider_is_left_at_once(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> None:
    """Its connection is closed within 200 ms of the stop, from another client on another instance."""
    house = new_house(tmp_path, engines, model)
    async with instances(house, 2) as fleet, house.worker(), http(fleet.urls[0]) as ada:
        conversation = await ada.conversation()
        taken: list[float] = []
        async with chat(fleet.urls[0], ada.token) as asker, chat(fleet.urls[1], ada.token) as other:
            await asker.subscribe(conversation)
            for number in range(5):
                question = f"say 2000 tokens at 200/s, but for the stop ({number})"
                reply = (await asker.send(conversation, question))["reply"]
                await asker.until_text(reply)
                began = time.monotonic()
                await other.ask("cancel", reply=reply)
                await wait_until(partial(_was_left, model, question), within=5)
                taken.append(time.monotonic() - began)
                assert (await asker.until_end(reply))["type"] == "reply.cancelled"
        print("left after", ", ".join(f"{seconds * 1000:.0f} ms" for seconds in taken))
        assert median(taken) < 0.2
