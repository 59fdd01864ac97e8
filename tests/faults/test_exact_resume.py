"""Clients that are cut off in every way, and come back to any instance: each ends with exactly the stored text."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from server.embedded.engines import EngineURLs
from tests.support.chaos import sized
from tests.support.client import http, sha256
from tests.support.house import new_house
from tests.support.instances import Instances, instances
from tests.support.talking_model import TalkingModel, spoken
from tests.support.waiting import wait_until
from tests.support.wanderer import Overhearer, Wanderer, told

CLIENTS = sized(24, 200)
OVERHEARERS = sized(4, 20)
CONVERSATIONS = sized(4, 10)
TOKENS = sized(400, 2000)
PER_SECOND = sized(60, 40)
CUTS = sized(2, 6)
TROUBLES = sized(["kill", "drain"], ["kill", "drain", "freeze"] * 3)
KINDS = sized(("reset", "stall"), ("reset", "stall", "closed 1006", "sent away"))
"""What must have happened to somebody; few clients may all be elsewhere when an instance dies."""


@pytest.mark.timeout(sized(60, 600))
async def test_everybody_ends_with_the_stored_text(
    engines: EngineURLs, model: TalkingModel, tmp_path: Path, chance: Random
) -> None:
    """Resets, stalls, instances killed, drained and frozen: no gap, nothing twice, and always by resuming."""
    house = new_house(tmp_path, engines, model)
    async with instances(house, 3) as fleet, house.worker():
        async with http(fleet.urls[0]) as ada:
            conversations = [await ada.conversation() for _ in range(CONVERSATIONS)]
            ask = {"text": f"say {TOKENS} tokens at {PER_SECOND}/s"}
            paths = {name: f"/v1/conversations/{name}/messages" for name in conversations}
            replies = {
                name: (await ada.post(paths[name], ask, status=202))["reply"] for name in conversations
            }
        wanderers = [
            kind(fleet.urls, ada.token, conversations[n % CONVERSATIONS], Random(chance.random()), CUTS)
            for kind, number in ((Wanderer, CLIENTS), (Overhearer, OVERHEARERS))
            for n in range(number)
        ]
        async with asyncio.TaskGroup() as group:
            for wanderer in wanderers:
                group.create_task(wanderer.until_ended(replies[wanderer.conversation]))
            group.create_task(_trouble(fleet, wanderers, chance))
        async with http(fleet.urls[1], ada.token) as later:
            stored = {name: await later.message(name, replies[name]) for name in conversations}
            proofs = {
                name: (await later.get(f"/v1/replies/{replies[name]}"))["sha256"] for name in conversations
            }
    print(f"{CLIENTS} clients and {OVERHEARERS} event streams, {TOKENS} tokens: {told(wanderers)}")
    seen = sum((wanderer.seen for wanderer in wanderers), Counter[str]())
    assert all(seen[kind] for kind in KINDS), seen
    assert {message["text"] for message in stored.values()} == {spoken(TOKENS)}
    for wanderer in wanderers:
        reply = replies[wanderer.conversation]
        assert wanderer.reader.texts[reply] == stored[wanderer.conversation]["text"]
        assert sha256(wanderer.reader.texts[reply]) == proofs[wanderer.conversation]
        assert wanderer.reader.status[reply] == "completed"
        # The log reaches back to everybody who was there: the one snapshot is that of the first visit.
        assert wanderer.seen["snapshots"] == 1, wanderer.seen


async def _trouble(fleet: Instances, wanderers: Sequence[Wanderer], chance: Random) -> None:
    """Take instances away, one after the other, at random places in the text."""
    whole = len(spoken(TOKENS))
    places = sorted(chance.uniform(0.1, 0.7) * whole for _ in TROUBLES)
    for kind, place in zip(TROUBLES, places, strict=True):

        async def is_there(place: float = place) -> bool:
            return any(len(text) > place for one in wanderers for text in one.reader.texts.values())

        await wait_until(is_there, within=300)
        victim = chance.randrange(len(fleet.urls))
        match kind:
            case "kill":
                await fleet.kill(victim)
            case "drain":
                await fleet.drain(victim)
            case _:
                await fleet.freeze(victim, chance.uniform(2, 8))


@pytest.mark.timeout(sized(90, 300))
async def test_a_rolling_restart_loses_nothing(
    engines: EngineURLs, model: TalkingModel, tmp_path: Path, chance: Random
) -> None:
    """All instances are drained and started again, one after the other: everybody resumes, and ends exact."""
    house = new_house(tmp_path, engines, model, CHAT_DRAIN_SECONDS="1")
    async with instances(house, 3) as fleet, house.worker(), http(fleet.urls[0]) as ada:
        conversation = await ada.conversation()
        ask = {"text": f"say {TOKENS} tokens at {PER_SECOND // 2}/s"}
        reply = (await ada.post(f"/v1/conversations/{conversation}/messages", ask, status=202))["reply"]
        wanderers = [
            Wanderer(fleet.urls, ada.token, conversation, Random(chance.random())) for _ in range(CLIENTS)
        ]
        async with asyncio.TaskGroup() as group:
            for wanderer in wanderers:
                group.create_task(wanderer.until_ended(reply))
            for index in range(3):
                await fleet.drain(index)
    print(f"{CLIENTS} clients, {TOKENS} tokens: {told(wanderers)}")
    for wanderer in wanderers:
        assert wanderer.reader.texts[reply] == spoken(TOKENS)
        assert wanderer.seen["snapshots"] == 1, wanderer.seen
