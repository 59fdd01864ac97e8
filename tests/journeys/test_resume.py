"""Connections that break in the middle of a reply, again and again: the text is exact in the end."""

import asyncio

import pytest

from tests.support.client import Http, Reader, chat
from tests.support.house import House
from tests.support.listener import listening
from tests.support.talking_model import spoken


async def test_dropped_again_and_again(house: House, ada: Http) -> None:
    """Five drops without a goodbye, each resumed on the other instance, and nothing twice or missing."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        reply = (await device.send(conversation, "say 400 tokens at 300/s"))["reply"]
        reader = device.reader
        device.socket.transport.abort()
    for turn in range(5):
        async with chat((house.there, house.here)[turn % 2], ada.token, reader) as device:
            answer = await device.subscribe(conversation, after=reader.after)
            assert answer["recovered"]
            for _ in range(5):
                if reply not in reader.ends:
                    await device.read()
            device.socket.transport.abort()
    async with chat(house.there, ada.token, reader) as device:
        await device.subscribe(conversation, after=reader.after)
        await device.until_end(reply)
    assert reader.texts[reply] == spoken(400)


async def test_everybody_sees_the_same_events(house: House, ada: Http) -> None:
    """Two sockets on two instances and an event stream: one log, event by event."""
    conversation = await ada.conversation()
    async with (
        chat(house.here, ada.token) as here,
        chat(house.there, ada.token) as there,
        listening(ada, conversation) as stream,
    ):
        await stream.read()
        await here.subscribe(conversation)
        await there.subscribe(conversation)
        reply = (await there.send(conversation, "say 100 tokens at 300/s"))["reply"]
        await asyncio.gather(*(client.until_end(reply) for client in (here, there, stream)))

    def events(frames: list[dict]) -> list[dict]:
        return [frame for frame in frames if "offset" in frame and frame["type"] != "subscribed"]

    assert events(here.heard) == events(there.heard) == events(stream.heard)
    assert here.reader.texts[reply] == spoken(100)


@pytest.mark.parametrize("places", [("here", "there"), ("there", "here")])
async def test_a_socket_takes_over_from_a_stream(house: House, ada: Http, places: tuple[str, str]) -> None:
    """`Last-Event-ID` and `after` are the same place: who began with one goes on with the other."""
    conversation = await ada.conversation()
    reader = Reader()
    async with listening(ada, conversation, reader=reader) as stream:
        await stream.read()
        path = f"/v1/conversations/{conversation}/messages"
        reply = (await ada.post(path, {"text": "say 200 tokens at 300/s"}, status=202))["reply"]
        for _ in range(8):
            await stream.read()
    for place in places:
        async with chat(getattr(house, place), ada.token, reader) as device:
            await device.subscribe(conversation, after=reader.after)
            if reply not in reader.ends:
                await device.read()
    async with listening(ada, conversation, f"{reader.epoch}:{reader.offset}", reader) as stream:
        await stream.until_end(reply)
    assert reader.texts[reply] == spoken(200)


async def test_a_finished_reply_is_resumed_as_well(house: House, ada: Http) -> None:
    """Away while all of it was made: the events that were missed come at once."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        reader = device.reader
    async with chat(house.there, ada.token) as other:
        await other.subscribe(conversation)
        reply = (await other.send(conversation, "say 60 tokens"))["reply"]
        await other.until_end(reply)
    async with chat(house.here, ada.token, reader) as device:
        assert (await device.subscribe(conversation, after=reader.after))["recovered"]
        await device.until_end(reply)
    assert reader.texts[reply] == spoken(60)


async def test_nothing_comes_after_unsubscribe(house: House, ada: Http) -> None:
    """`unsubscribed` is the last that is heard of a conversation, until one follows again."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        answer = await device.ask("unsubscribe", conversation=conversation)
        assert answer == {"type": "unsubscribed", "id": answer["id"], "conversation": conversation}
        await device.send(conversation, "Hola", reply=False)
        assert (await device.ask("ping"))["type"] == "pong"
        assert device.reader.types == []
        assert (await device.subscribe(conversation, after=device.reader.after))["recovered"]
        assert (await device.event())["type"] == "message.created"
