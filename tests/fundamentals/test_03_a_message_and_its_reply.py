"""Chapter 3. A message and its reply.

`send` is answered by `accepted` when the message is stored, and a reply to it is owed from then on, whatever breaks.
The reply has its id at once. What becomes of it arrives as events: queued, started, one delta after the other, and
an end. There are three ends: `reply.completed`, `reply.failed` and `reply.cancelled`.

(The model of these chapters is a real server of OpenAI's protocol that does as the message says: `say 30 tokens at
200/s`. So we know beforehand what it will say: `spoken(30)`. It stands in tests/support/talking_model.py.)
"""

from tests.support.client import Http, chat, sha256
from tests.support.house import House


async def test_a_message_and_its_reply(house: House, ada: Http) -> None:
    """One message's way, from `send` to the end of its answer."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        accepted = await device.ask(
            "send", conversation=conversation, text="What can you do? Please say 30 tokens at 200/s."
        )
        assert accepted["type"] == "accepted"
        assert accepted["duplicate"] is False
        end = await device.until_end(accepted["reply"])

    events = [frame for frame in device.heard if "offset" in frame and frame["type"] != "subscribed"]
    by_type = {event["type"]: event for event in events}

    # First the message itself, which everybody in the conversation sees.
    assert events[0]["type"] == "message.created"
    assert events[0]["message"]["id"] == accepted["message"]
    assert events[0]["message"]["seq"] == 1

    # Then the answer to it: owed, taken up by a worker, growing, whole.
    assert by_type["reply.queued"]["message"] == accepted["message"]
    assert by_type["reply.started"]["attempt"] == 1
    assert [event["stage"] for event in events if event["type"] == "reply.progress"] == ["context", "waiting"]
    assert events[-1] == end

    # The deltas, joined, are the text; the last event proves it; and the same is stored.
    text = "".join(event["text"] for event in events if event["type"] == "reply.delta")
    assert len(text) == end["length"]
    assert sha256(text) == end["sha256"]
    question, answer = await ada.messages(conversation)
    assert (question["role"], answer["role"]) == ("user", "assistant")
    assert answer["id"] == accepted["reply"]
    assert answer["text"] == text
    assert answer["status"] == "completed"

    # A conversation without a title is called by its first words.
    assert (await ada.get(f"/v1/conversations/{conversation}"))["title"].startswith("What can you do?")
