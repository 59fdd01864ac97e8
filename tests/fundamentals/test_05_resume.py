"""Chapter 5. Resume.

Connections break. A client remembers two things of a conversation: the `epoch` of its log, and the last `offset` that
it has seen. With these as `after` it subscribes again, on any instance of the server. `recovered: true` says that what
follows joins exactly; nothing comes twice, and nothing is missing.
"""

from tests.support.client import Http, chat
from tests.support.house import House
from tests.support.talking_model import spoken


async def test_resume(house: House, ada: Http) -> None:
    """Half an answer here, the other half there."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        subscribed = await device.ask("subscribe", conversation=conversation)
        reply = (await device.send(conversation, "say 150 tokens at 250/s"))["reply"]
        while device.heard[-1]["type"] != "reply.delta":
            await device.read()
        seen = {"epoch": subscribed["epoch"], "offset": device.heard[-1]["offset"]}
        reader = device.reader

    async with chat(house.there, ada.token, reader) as device:
        resumed = await device.ask("subscribe", conversation=conversation, after=seen)
        assert resumed["recovered"] is True
        assert "snapshot" not in resumed
        assert resumed["epoch"] == seen["epoch"]
        await device.until_end(reply)

    first = next(frame for frame in device.heard if "offset" in frame and frame["type"] != "subscribed")
    assert first.get("from", first["offset"]) == seen["offset"] + 1
    assert reader.texts[reply] == spoken(150)
