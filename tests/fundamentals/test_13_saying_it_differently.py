"""Chapter 13. Saying it differently.

Nothing that was said is overwritten. `edit` says a message in other words, `regenerate` asks for another answer; each
makes a new message beside the earlier one, with the same `parent`. So the messages of a conversation are a tree. One
branch of it is chosen: that is what is shown, what the model reads, and where the next message goes on. `choose` goes
back to another branch, with all that had followed there.
"""

from tests.support.client import Chat, Http, chat
from tests.support.house import House
from tests.support.talking_model import spoken


async def shown(ada: Http, conversation: str) -> list[str]:
    """The texts of the chosen branch."""
    return [message["text"] for message in await ada.messages(conversation)]


async def answered(device: Chat, conversation: str, text: str) -> dict[str, str]:
    """Say something and wait for the answer; the ids of both."""
    sent = await device.send(conversation, text)
    await device.until_end(sent["reply"])
    return sent


async def test_another_wording(house: House, ada: Http) -> None:
    """The question is put in other words; the first wording, and its answer, are one `choose` away."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        first = await answered(device, conversation, "say 5 tokens")

        edited = await device.ask("edit", message=first["message"], text="say 7 tokens")
        assert edited["type"] == "accepted"  # a new message, and a new reply to it
        await device.until_end(edited["reply"])
        assert await shown(ada, conversation) == ["say 7 tokens", spoken(7)]

        # The two versions know one another, in the order of their birth.
        versions = (await ada.get(f"/v1/messages/{edited['message']}"))["siblings"]
        assert versions == [first["message"], edited["message"]]

        chosen = await device.ask("choose", message=first["message"])
        assert chosen["head"] == first["reply"]  # the branch goes on to where it was left
        assert await shown(ada, conversation) == ["say 5 tokens", spoken(5)]


async def test_another_answer(house: House, ada: Http) -> None:
    """It stands beside the first one, under the same question, and the talk goes on from it."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        first = await answered(device, conversation, "say 5 tokens")

        again = await device.ask("regenerate", reply=first["reply"])
        assert again["message"] == first["message"]  # the question is the same one
        await device.until_end(again["reply"])
        after = await answered(device, conversation, "And now say 3 tokens.")

    branch = await ada.messages(conversation)
    assert [message["id"] for message in branch] == [
        first["message"],
        again["reply"],
        after["message"],
        after["reply"],
    ]
    assert branch[2]["parent"] == again["reply"]
    assert (await ada.get(f"/v1/messages/{first['reply']}"))["chosen"] is False


async def test_taking_it_back(house: House, ada: Http) -> None:
    """The place stays, so that nothing after it hangs in the air; what was said there is gone."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        sent = await answered(device, conversation, "say 5 tokens")
        retracted = await device.ask("retract", message=sent["message"])
        assert retracted["type"] == "retracted"
    assert await shown(ada, conversation) == ["", spoken(5)]
    assert (await ada.get(f"/v1/messages/{sent['message']}"))["retracted"] is True


async def test_putting_it_away(house: House, ada: Http) -> None:
    """What has served its turn stays for people, and no model reads it any more, until somebody takes it out again."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        sent = await answered(device, conversation, "say 5 tokens")
        await device.ask("archive", message=sent["message"])
        await device.ask("archive", message=sent["reply"])
        question = f"What do you know of me, {ada.user}?"
        await answered(device, conversation, question)
        (asked,) = house.model.requests_for(question)
        assert [turn["content"] for turn in asked["messages"]] == [question]
        await device.ask("archive", message=sent["message"], archived=False)
    assert (await shown(ada, conversation))[:2] == ["say 5 tokens", spoken(5)]
    assert [message["archived"] for message in await ada.messages(conversation)][:2] == [False, True]
