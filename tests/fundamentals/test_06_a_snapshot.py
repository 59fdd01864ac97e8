"""Chapter 6. A snapshot.

Who comes for the first time, or after so long that the log does not reach back, gets a snapshot: the last 50
messages, and the replies in flight with their text so far. It belongs to the `offset` beside it: the events from the
next one on continue it.
"""

import asyncio

from tests.support.client import Http, chat
from tests.support.house import House
from tests.support.talking_model import spoken


async def test_a_snapshot_in_the_middle_of_a_reply(house: House, ada: Http) -> None:
    """Somebody comes late, sees the beginning at once, and the rest as it is made."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        reply = (await device.send(conversation, "say 150 tokens at 250/s"))["reply"]
        while device.heard[-1]["type"] != "reply.delta":
            await device.read()

        async with chat(house.here, ada.token) as late:
            subscribed = await late.ask("subscribe", conversation=conversation)
            assert subscribed["recovered"] is False
            question, answer = subscribed["snapshot"]["messages"]
            assert question["text"] == "say 150 tokens at 250/s"
            assert answer["id"] == reply
            assert answer["status"] == "running"
            assert answer["text"]
            assert spoken(150).startswith(answer["text"])

            await asyncio.gather(device.until_end(reply), late.until_end(reply))
            assert late.reader.texts[reply] == device.reader.texts[reply] == spoken(150)


async def test_a_snapshot_after_a_lost_log(house: House, ada: Http) -> None:
    """An offset of another epoch says nothing: the client begins anew, and is told so."""
    conversation = await ada.conversation()
    await ada.post(f"/v1/conversations/{conversation}/messages", {"text": "Hola", "reply": False}, status=202)
    async with chat(house.here, ada.token) as device:
        answer = await device.ask(
            "subscribe", conversation=conversation, after={"epoch": "of-long-ago", "offset": 41}
        )
    assert answer["recovered"] is False
    assert [message["text"] for message in answer["snapshot"]["messages"]] == ["Hola"]
