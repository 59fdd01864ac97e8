"""Chapter 4. Events and offsets.

The events of a conversation are one log. Each has an `offset`: 1, 2, 3 …, without holes, the same for every client. A
client that reads slowly may get several deltas as one frame; then `from` is the first offset that it stands for. So
the rule for clients is: `from`, or else `offset`, is the last offset plus one.

A delta says where it belongs: `at` counts the Unicode code points before it. Code points, not UTF-16 units (which
JavaScript counts) and not bytes: an astronaut is four of them, a family more.
"""

from tests.support.client import Http, chat
from tests.support.house import House
from tests.support.talking_model import spoken


async def test_events_and_offsets(house: House, ada: Http) -> None:
    """The offsets have no hole, and each delta begins where the one before it ended."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        accepted = await device.send(conversation, "say 48 tokens at 300/s")
        await device.until_end(accepted["reply"])

    last, text = 0, ""
    for event in device.heard:
        if "offset" not in event or event["type"] == "subscribed":
            continue
        assert event.get("from", event["offset"]) == last + 1
        last = event["offset"]
        if event["type"] == "reply.delta":
            assert event["at"] == len(text)  # Python's len() counts code points
            text = text[: event["at"]] + event["text"]

    assert text == spoken(48)
    assert len(text) < len(text.encode("utf-16-le")) / 2 < len(text.encode())
