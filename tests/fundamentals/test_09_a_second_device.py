"""Chapter 9. A second device.

Events go to everybody who follows, wherever they are connected: the same events, with the same offsets, in the same
order. A conversation may also have members; who is none is told `forbidden`.
"""

import asyncio

from tests.support.client import Http, chat
from tests.support.house import House
from tests.support.talking_model import spoken


async def test_a_second_device(house: House, ada: Http, grace: Http) -> None:
    """Ada writes here; Grace reads along there; both have the same."""
    conversation = await ada.conversation(members=[grace.user])
    async with chat(house.here, ada.token) as laptop, chat(house.there, grace.token) as phone:
        await laptop.subscribe(conversation)
        await phone.subscribe(conversation)
        reply = (await laptop.send(conversation, "say 100 tokens at 400/s"))["reply"]
        await asyncio.gather(laptop.until_end(reply), phone.until_end(reply))

    assert phone.reader.texts == laptop.reader.texts
    assert phone.reader.offset == laptop.reader.offset
    assert phone.reader.texts[reply] == spoken(100)


async def test_somebody_else(house: House, ada: Http, grace: Http) -> None:
    """It exists, and is somebody else's."""
    conversation = await ada.conversation()
    async with chat(house.there, grace.token) as device:
        answer = await device.ask("subscribe", conversation=conversation)
        assert (answer["type"], answer["code"]) == ("error", "forbidden")
