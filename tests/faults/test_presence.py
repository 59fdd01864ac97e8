"""Instances that die, seem dead, or are drained: who is here stays true, and a crowd that comes back is no storm."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest

from server.embedded.engines import EngineURLs
from tests.support.chaos import sized
from tests.support.client import Chat, Http, chat, http
from tests.support.house import new_house
from tests.support.instances import instances
from tests.support.talking_model import TalkingModel
from tests.support.wanderer import Wanderer, told

PEOPLE = sized(20, 80)
SECONDS = sized(8, 20)


async def _until_here(device: Chat, *people: Http) -> None:
    users = sorted(person.user for person in people)
    while (frame := await device.read())["type"] != "presence" or frame["users"] != users:
        pass


@pytest.mark.timeout(90)
async def test_who_was_at_a_dead_instance_is_missed(
    engines: EngineURLs, model: TalkingModel, tmp_path: Path
) -> None:
    """Frozen, its users go, and are back when it thaws; killed, they go, and are back by another way."""
    house = new_house(tmp_path, engines, model)
    async with AsyncExitStack() as stack:
        here, there = [await stack.enter_async_context(house.web()) for _ in range(2)]
        ada, grace = [await stack.enter_async_context(http(here.url)) for _ in range(2)]
        conversation = await ada.conversation(members=[grace.user])
        watching = await stack.enter_async_context(chat(here.url, ada.token))
        await watching.subscribe(conversation)
        async with chat(there.url, grace.token, ping_interval=None) as lost:
            await lost.subscribe(conversation)
            await _until_here(watching, ada, grace)
            there.freeze()
            await _until_here(watching, ada)
            there.thaw()
            await _until_here(watching, ada, grace)
            there.kill()
            assert await there.ended() == -9
        await _until_here(watching, ada)
        async with chat(here.url, grace.token) as back:
            await back.subscribe(conversation)
            await _until_here(watching, ada, grace)


@pytest.mark.timeout(sized(60, 120))
async def test_a_crowd_that_is_sent_elsewhere_is_no_storm(
    engines: EngineURLs, model: TalkingModel, tmp_path: Path, chance: Random
) -> None:
    """An instance is drained under many people: who looks on hears of it a few times, if at all."""
    house = new_house(tmp_path, engines, model)
    async with instances(house, 2) as fleet, house.worker(), AsyncExitStack() as stack:
        people = [await stack.enter_async_context(http(fleet.urls[0])) for _ in range(PEOPLE)]
        ada, *others = people
        conversation = await ada.conversation(members=[one.user for one in others])
        watching = await stack.enter_async_context(chat(fleet.urls[0], ada.token))
        await watching.subscribe(conversation)
        text = f"say {SECONDS * 20} tokens at 20/s"
        reply = (await watching.send(conversation, text))["reply"]
        wanderers = [
            Wanderer(fleet.urls[1:], one.token, conversation, Random(chance.random())) for one in others
        ]
        async with asyncio.TaskGroup() as group:
            for wanderer in wanderers:
                group.create_task(wanderer.until_ended(reply))
            await _until_here(watching, *people)
            before = len(watching.heard)
            looking = group.create_task(watching.until_end(reply))
            for wanderer in wanderers:
                wanderer.urls = fleet.urls  # from now on they may come to either
            await fleet.drain(1)
            await looking
            news = [frame for frame in watching.heard[before:] if frame["type"] == "presence"]
    print(f"{PEOPLE} people: {len(news)} frames of presence; {told(wanderers)}")
    assert all(wanderer.seen["sent away"] for wanderer in wanderers)
    assert len(news) <= PEOPLE / 2
