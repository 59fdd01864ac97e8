"""Chapter 7. Stop.

`cancel` asks for an end: on the socket, or as `POST /v1/replies/{id}/cancel`, from any client of the conversation, on
any instance. `cancelling` says that it was understood; `reply.cancelled` says that it has really stopped: the
connection to the model is closed, and what there was of the answer is kept.
"""

from tests.support.client import Http, chat
from tests.support.house import House
from tests.support.talking_model import spoken


async def test_stop(house: House, ada: Http) -> None:
    """An answer of a minute, stopped in its first second."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        reply = (await device.send(conversation, "say 3000 tokens at 50/s"))["reply"]
        while device.heard[-1]["type"] != "reply.delta":
            await device.read()

        answer = await device.ask("cancel", reply=reply)
        assert answer["type"] == "cancelling"
        end = await device.until_end(reply)

        assert end["type"] == "reply.cancelled"
        assert end["usage"]["exact"] is False  # nobody counted, so it is an estimate
        kept = (await ada.message(conversation, reply))["text"]
        assert kept == device.reader.texts[reply]
        assert len(kept) == end["length"]
        assert spoken(3000).startswith(kept)

        # What has ended cannot be stopped.
        late = await device.ask("cancel", reply=reply)
        assert (late["type"], late["code"]) == ("error", "already_ended")
