"""Bad input on the socket: each kind gets its documented answer, and the next good frame works."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from server import wiring
from tests.support.client import Chat, Http, chat
from tests.support.house import House
from tests.support.in_process import serving, settings_of

CONVERSATION = "cnv_" + "0" * 32
HELLO_SECONDS = 0.2

GOOD = {"type": "send", "text": "Hola"}
BAD: dict[str, tuple[str | bytes, str, str | None]] = {
    "no JSON": ("{'type': 'ping'}", "bad_frame", None),
    "half of it": ('{"type":"ping"', "bad_frame", None),
    "nothing": ("", "bad_frame", None),
    "a list": ('[{"type":"ping"}]', "bad_frame", None),
    "a number": ("42", "bad_frame", None),
    "null": ("null", "bad_frame", None),
    "deep": ("[" * 5000, "bad_frame", None),
    "half a surrogate pair": ('{"type":"ping","id":"\\ud800"}', "bad_frame", None),
    "binary": (b'{"type":"ping"}', "bad_frame", None),
    "no type": ('{"id":"1"}', "invalid", "type"),
    "a type that is none": ('{"type":"shout"}', "unknown_type", "type"),
    "a type that is a number": ('{"type":7}', "unknown_type", "type"),
    "an unknown field": ('{"type":"ping","loud":true}', "invalid", "loud"),
    "an id that is a number": ('{"type":"ping","id":7}', "invalid", "id"),
    "a very long id": (json.dumps({"type": "ping", "id": "x" * 65}), "invalid", "id"),
    "no conversation": (json.dumps(GOOD), "invalid", "conversation"),
    "a conversation that is a list": (json.dumps({**GOOD, "conversation": []}), "invalid", "conversation"),
    "one that does not exist": (json.dumps({**GOOD, "conversation": CONVERSATION}), "not_found", None),
    "one of another kind": (json.dumps({**GOOD, "conversation": "{$gt: ''}"}), "not_found", None),
    "a reply that does not exist": ('{"type":"cancel","reply":"msg_1"}', "not_found", None),
    "an offset below zero": (
        json.dumps(
            {"type": "subscribe", "conversation": CONVERSATION, "after": {"epoch": "e", "offset": -1}}
        ),
        "invalid",
        "after.offset",
    ),
    "a place without its epoch": (
        json.dumps({"type": "subscribe", "conversation": CONVERSATION, "after": {"offset": 1}}),
        "invalid",
        "after.epoch",
    ),
    "a second hello": ('{"type":"hello"}', "invalid", "type"),
}


@pytest.fixture
async def device(house: House, ada: Http) -> AsyncIterator[Chat]:
    """Give a socket that has said hello."""
    async with chat(house.here, ada.token) as device:
        yield device


@asynccontextmanager
async def silent(base_url: str) -> AsyncIterator[ClientConnection]:
    """A socket that has not said hello."""
    address = base_url.replace("http", "ws", 1) + "/ws"
    async with connect(address, subprotocols=["chat.v1"], proxy=None) as socket:
        yield socket


async def closed(socket: ClientConnection) -> int | None:
    """Read to the end; the close code."""
    try:
        async with asyncio.timeout(10):
            while True:
                await socket.recv()
    except ConnectionClosed as end:
        return end.rcvd.code if end.rcvd else None


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_frame_is_answered(device: Chat, kind: str) -> None:
    """Its code and its field; and a good frame right after it works."""
    raw, code, field = BAD[kind]
    await device.socket.send(raw)
    answer = await device.read()
    assert (answer["type"], answer["code"], answer.get("field")) == ("error", code, field), answer
    assert answer["detail"].endswith(".")
    assert (await device.ask("ping"))["type"] == "pong"


@pytest.mark.parametrize(
    "frame", [{"type": "ping", "loud": True}, {"type": "shout"}, {"type": "send"}, {"no": "type"}]
)
async def test_the_answer_to_a_bad_frame_carries_its_id(device: Chat, frame: dict[str, Any]) -> None:
    """As far as it has one that can be read."""
    await device.socket.send(json.dumps({**frame, "id": "mine"}))
    answer = await device.read()
    assert (answer["type"], answer["id"]) == ("error", "mine")


async def test_a_text_that_is_too_long(device: Chat, ada: Http) -> None:
    """60,000 characters are refused, and nothing is stored; 32,000 are fine, whatever they are."""
    conversation = await ada.conversation()
    answer = await device.ask("send", conversation=conversation, text="x" * 60_000)
    assert (answer["code"], answer["field"]) == ("text_too_long", "text")
    assert await ada.messages(conversation) == []
    masks = {"type": "send", "conversation": conversation, "text": "🎭" * 32_000, "reply": False}
    await device.socket.send(json.dumps(masks, ensure_ascii=False))
    assert (await device.read())["type"] == "accepted"
    assert (await ada.messages(conversation))[0]["text"] == "🎭" * 32_000


async def test_somebody_elses_conversation(device: Chat, grace: Http) -> None:
    """Neither read nor written."""
    conversation = await grace.conversation()
    for type_, more in (("subscribe", {}), ("send", {"text": "Hola"})):
        answer = await device.ask(type_, conversation=conversation, **more)
        assert (answer["type"], answer["code"]) == ("error", "forbidden")
    assert await grace.messages(conversation) == []


async def test_a_crowd_at_the_door(house: House, ada: Http, grace: Http) -> None:
    """Many ask at the same time for what is theirs, what is not, and what there is not: each has its own answer."""
    own, others = await ada.conversation(), await grace.conversation()
    async with AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(chat(house.here, ada.token)) for _ in range(9)]
        wanted = [own, others, "cnv_none"] * 3
        answers = await asyncio.gather(
            *(one.ask("subscribe", conversation=name) for one, name in zip(crowd, wanted, strict=True))
        )
    codes = [answer.get("code", answer["type"]) for answer in answers]
    assert codes == ["subscribed", "forbidden", "not_found"] * 3


async def test_a_huge_frame(house: House, ada: Http, device: Chat) -> None:
    """10 MB close this socket with 1009; all others, and the next one, live on."""
    async with chat(house.here, ada.token) as other:
        with pytest.raises(ConnectionClosedError):
            await other.ask("ping", padding="x" * 10_000_000)
        assert other.socket.close_code == 1009
    assert (await device.ask("ping"))["type"] == "pong"


async def test_ten_bad_frames_in_a_row(device: Chat) -> None:
    """The tenth closes with 4400; a good one between them begins the count anew."""
    for _ in range(9):
        await device.socket.send("?")
    assert (await device.ask("ping"))["type"] == "pong"
    for _ in range(10):
        await device.socket.send("?")
    assert await closed(device.socket) == 4400


async def test_a_flood(device: Chat) -> None:
    """Frames far beyond the limit are told to wait, and who does not is closed with 4429."""
    frame = json.dumps({"type": "ping"})
    try:
        for _ in range(2000):
            await device.socket.send(frame)
    except ConnectionClosed:
        pass
    assert await closed(device.socket) == 4429


async def test_too_many_subscriptions(device: Chat, ada: Http) -> None:
    """The 101st is refused; after leaving one there is room again."""
    conversations = await asyncio.gather(*(ada.conversation() for _ in range(101)))
    for conversation in conversations[:100]:
        assert (await device.subscribe(conversation))["type"] == "subscribed"
    refused = await device.subscribe(conversations[100])
    assert (refused["type"], refused["code"]) == ("error", "too_many_subscriptions")
    # Again to one that is followed already is not one more.
    assert (await device.subscribe(conversations[99]))["type"] == "subscribed"
    await device.ask("unsubscribe", conversation=conversations[0])
    assert (await device.subscribe(conversations[100]))["type"] == "subscribed"


@pytest.mark.parametrize("token", ["nonsense", "", None, "a.b.c", "é" * 40])
async def test_a_bad_token(house: House, token: str | None) -> None:
    """An error that says so, and 4401."""
    async with silent(house.here) as socket:
        hello: dict[str, Any] = {"type": "hello", "id": "1", "token": token}
        await socket.send(json.dumps(hello))
        answer = json.loads(await socket.recv())
        assert (answer["type"], answer["code"], answer["id"]) == ("error", "unauthenticated", "1")
        assert await closed(socket) == 4401


async def test_a_frame_before_hello(house: House, ada: Http) -> None:
    """It is refused; a hello afterwards is still welcome."""
    async with silent(house.here) as socket:
        await socket.send(json.dumps({"type": "ping", "id": "1"}))
        answer = json.loads(await socket.recv())
        assert (answer["code"], answer["id"]) == ("hello_required", "1")
        await socket.send(json.dumps({"type": "hello", "token": ada.token}))
        assert json.loads(await socket.recv())["type"] == "welcome"


async def test_a_token_in_the_handshake(house: House, ada: Http) -> None:
    """`Authorization: Bearer …` stands in for the token in hello."""
    address = house.here.replace("http", "ws", 1) + "/ws"
    headers = {"Authorization": f"Bearer {ada.token}"}
    async with connect(address, additional_headers=headers, proxy=None) as socket:
        await socket.send('{"type":"hello"}')
        assert json.loads(await socket.recv())["user"] == ada.user


async def test_no_hello(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is closed with 4408, here after less than ten seconds."""
    limits = replace(wiring.SOCKET_LIMITS, hello_seconds=HELLO_SECONDS)
    monkeypatch.setattr(sys.modules["server.wiring.web"], "SOCKET_LIMITS", limits)
    async with serving(settings_of(house, tmp_path)) as base_url, silent(base_url) as socket:
        assert await closed(socket) == 4408
