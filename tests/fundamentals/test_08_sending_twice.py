"""Chapter 8. Sending twice.

The connection broke before `accepted` came. Was the message stored? Send it again, with the same `key`: it is stored
once, and the second answer names the message and the reply of the first, with `duplicate: true`. A key belongs to a
user and a conversation, and to one text.
"""

from tests.support.client import Http, chat
from tests.support.house import House


async def test_sending_twice(house: House, ada: Http) -> None:
    """Once over the socket, again over HTTP, and it is one message."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        first = await device.send(conversation, "Hola", key="k1")
        assert first["duplicate"] is False

        path = f"/v1/conversations/{conversation}/messages"
        second = await ada.post(path, {"text": "Hola", "key": "k1"}, status=202)
        assert second == {"message": first["message"], "reply": first["reply"], "duplicate": True}

        other = await device.ask("send", conversation=conversation, text="Adiós", key="k1")
        assert (other["type"], other["code"], other["field"]) == ("error", "key_reused", "key")

        await device.until_end(first["reply"])
    assert [message["role"] for message in await ada.messages(conversation)] == ["user", "assistant"]
