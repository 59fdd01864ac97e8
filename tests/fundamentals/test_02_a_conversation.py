"""Chapter 2. A conversation.

Conversations are made, listed, renamed and deleted over HTTP. To see what happens in one, subscribe to it on the
socket. The answer says where its log stands (`epoch` and `offset`, more of which in chapter 4) and, the first time,
brings a snapshot: the last messages, of which a new conversation has none.
"""

from tests.support.client import Http, chat
from tests.support.house import House


async def test_a_conversation(house: House, ada: Http) -> None:
    """Begun over HTTP, followed on the socket."""
    conversation = await ada.post("/v1/conversations", {"title": "Of engines"}, status=201)
    assert conversation["title"] == "Of engines"
    assert conversation["owner"] == ada.user

    listed = await ada.get("/v1/conversations")
    assert [one["id"] for one in listed["items"]] == [conversation["id"]]
    assert listed["next"] is None

    async with chat(house.here, ada.token) as device:
        subscribed = await device.ask("subscribe", conversation=conversation["id"])
        assert subscribed["type"] == "subscribed"
        assert subscribed["offset"] == 0
        assert subscribed["snapshot"]["messages"] == []

        # From here on, whatever changes is told to everybody who follows.
        path = f"/v1/conversations/{conversation['id']}"
        await ada.ask("PATCH", path, {"title": "Of analytical engines"})
        updated = await device.event()
        assert (updated["type"], updated["title"]) == ("conversation.updated", "Of analytical engines")
        assert updated["offset"] == 1
