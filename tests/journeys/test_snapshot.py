"""The invariant of every snapshot: with the events after it, it comes to what a later snapshot shows."""

import asyncio
import random
from typing import Any

from tests.support.client import Http, chat
from tests.support.house import House


async def snapshot(base_url: str, token: str, conversation: str) -> dict[str, str]:
    """The texts of a conversation, as somebody who comes now sees them."""
    async with chat(base_url, token) as device:
        return texts(await device.ask("subscribe", conversation=conversation))


def texts(subscribed: dict[str, Any]) -> dict[str, str]:
    """The texts by message."""
    return {message["id"]: message["text"] for message in subscribed["snapshot"]["messages"]}


async def test_a_snapshot_and_what_follows_is_the_state(house: House, ada: Http) -> None:
    """Watchers who come at random moments of several replies, on either instance, all end with the same."""
    conversation = await ada.conversation()

    async def write() -> None:
        async with chat(house.here, ada.token) as device:
            await device.subscribe(conversation)
            first = await device.send(conversation, "say 80 tokens at 150/s")
            await device.until_end(first["reply"])
            both = [await device.send(conversation, f"say {n} tokens at 250/s") for n in (120, 200)]
            for sent in both:
                await device.until_end(sent["reply"])

    async def watch(delay: float, base_url: str) -> dict[str, str]:
        await asyncio.sleep(delay)  # to be somewhere in the middle, wherever that is
        async with chat(base_url, ada.token) as device:
            await device.subscribe(conversation)
            reader = device.reader
            while len(reader.texts) < 6 or set(reader.status.values()) != {"completed"}:
                await device.read()
        return reader.texts

    places = [house.here, house.there] * 5
    watchers = [watch(random.uniform(0, 1.2), place) for place in places]
    _, *seen = await asyncio.gather(write(), *watchers)
    state = await snapshot(house.there, ada.token, conversation)
    assert state == {message["id"]: message["text"] for message in await ada.messages(conversation)}
    assert all(one == state for one in seen)
    assert len(state) == 6
