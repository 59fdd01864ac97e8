"""The main journey: a guest says something, and a model's answer arrives piece by piece, exactly."""

from tests.support.client import Http, chat, sha256
from tests.support.house import House
from tests.support.talking_model import MODEL, spoken

STORY = ["message.created", "reply.queued", "reply.started"]


async def test_a_message_is_answered(house: House, ada: Http) -> None:
    """Guest token, conversation, accepted, started, deltas, completed: and the text is the same everywhere."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        accepted = await device.send(conversation, "say 120 tokens at 400/s")
        end = await device.until_end(accepted["reply"])
    reader = device.reader
    assert [type_ for type_ in reader.types if type_ in STORY] == STORY
    assert reader.types[-1] == "reply.completed"
    assert reader.types.count("reply.delta") > 2
    assert reader.texts[accepted["reply"]] == spoken(120)
    assert end["sha256"] == sha256(spoken(120))
    assert end["length"] == len(spoken(120))
    assert end["usage"] == {"input": 7, "output": 120, "exact": True}
    stored = await ada.message(conversation, accepted["reply"])
    assert stored["text"] == spoken(120)
    assert stored["status"] == "completed"
    assert (stored["provider"], stored["model"]) == ("openai", MODEL)
