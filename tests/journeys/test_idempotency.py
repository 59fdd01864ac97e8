"""Sending again is safe: one message and one reply, however many sends, wherever they come in."""

import asyncio

from tests.support.client import Http, chat
from tests.support.house import House


async def test_a_hundred_sends_at_once(house: House, ada: Http, grace: Http) -> None:
    """One message, one reply, 99 duplicates: over HTTP and sockets, on both instances."""
    conversation = await ada.conversation()
    grace.client.headers["Authorization"] = f"Bearer {ada.token}"  # her connection, another instance
    path = f"/v1/conversations/{conversation}/messages"
    said = {"text": f"say 7 tokens, {conversation}", "key": "the-one"}
    async with chat(house.here, ada.token) as device, chat(house.there, ada.token) as other:
        answers = await asyncio.gather(
            *(http.post(path, said, status=202) for http in (ada, grace) for _ in range(49)),
            device.ask("send", conversation=conversation, **said),
            other.ask("send", conversation=conversation, **said),
        )
        assert len({answer["message"] for answer in answers}) == 1
        assert len({answer["reply"] for answer in answers}) == 1
        assert sorted(answer["duplicate"] for answer in answers) == [False, *[True] * 99]
        await device.subscribe(conversation)
        reply = answers[0]["reply"]
        while device.reader.status.get(reply) != "completed":
            await device.read()
    assert [message["seq"] for message in await ada.messages(conversation)] == [1, 2]
    assert len(house.model.requests_for(said["text"])) == 1


async def test_a_key_belongs_to_one_text(house: House, ada: Http) -> None:
    """The same key with another text is refused, also when both come at once."""
    conversation = await ada.conversation()
    path = f"/v1/conversations/{conversation}/messages"
    requests = [
        ada.client.post(path, json={"text": text, "key": "k", "reply": False}) for text in ("one", "two") * 5
    ]
    answers = await asyncio.gather(*requests)
    [message] = await ada.messages(conversation)
    accepted = [answer for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert len(accepted) == len(refused) == 5
    assert {answer.json()["message"] for answer in accepted} == {message["id"]}
    assert {answer.json()["code"] for answer in refused} == {"key_reused"}


async def test_what_was_taken_back_is_not_said_again(ada: Http) -> None:
    """A device that was offline sends it once more: it was sent, whatever has become of it since."""
    path = f"/v1/conversations/{await ada.conversation()}/messages"
    said = {"text": "never mind", "key": "k", "reply": False}
    sent = await ada.post(path, said, 202)
    await ada.ask("DELETE", f"/v1/messages/{sent['message']}", status=204)
    assert await ada.post(path, said, 202) == sent | {"duplicate": True}


async def test_a_key_belongs_to_one_conversation(ada: Http) -> None:
    """The same key elsewhere is another message."""
    said = {"text": "Hola", "key": "k", "reply": False}
    paths = [f"/v1/conversations/{await ada.conversation()}/messages" for _ in range(2)]
    answers = [await ada.post(path, said, status=202) for path in paths]
    assert [answer["duplicate"] for answer in answers] == [False, False]


async def test_many_people_at_once(house: House, ada: Http) -> None:
    """Fifty different messages at once: all are stored, and numbered without a hole."""
    conversation = await ada.conversation()
    path = f"/v1/conversations/{conversation}/messages"
    sends = [ada.post(path, {"text": f"number {n}", "reply": False}, status=202) for n in range(50)]
    await asyncio.gather(*sends)
    listed = await ada.get(f"{path}?limit=100")
    assert [message["seq"] for message in listed["items"]] == list(range(1, 51))
    assert {message["text"] for message in listed["items"]} == {f"number {n}" for n in range(50)}
