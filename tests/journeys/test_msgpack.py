"""The binary subprotocol: the same frames, for clients that would rather not parse JSON."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_sync

from tests.support.client import Http, Reader, chat
from tests.support.documented import documented_close_codes, documented_codes
from tests.support.house import House
from tests.support.talking_model import spoken

pack, unpack = msgspec.msgpack.encode, msgspec.msgpack.decode


@asynccontextmanager
async def packed(base_url: str, *offered: str) -> AsyncIterator[ClientConnection]:
    """A socket that offers subprotocols."""
    url = base_url.replace("http", "ws", 1) + "/ws"
    async with connect(url, subprotocols=offered, max_size=None, proxy=None) as socket:
        yield socket


async def say(socket: ClientConnection, **frame: Any) -> None:
    """Send a frame."""
    await socket.send(pack(frame))


async def hear(socket: ClientConnection) -> dict[str, Any]:
    """The next frame."""
    async with asyncio.timeout(30):
        raw = await socket.recv()
    assert isinstance(raw, bytes)
    return unpack(raw)


async def test_the_same_frames_in_other_bytes(house: House, ada: Http) -> None:
    """One in JSON and one in MessagePack see the same events, and resume with each other's position."""
    conversation = await ada.conversation()
    reader, events = Reader(), list[dict[str, Any]]()
    async with (
        chat(house.here, ada.token) as beside,
        packed(house.here, "chat.v1.msgpack", "chat.v1") as socket,
    ):
        assert socket.subprotocol == "chat.v1.msgpack"
        await beside.subscribe(conversation)
        await say(socket, type="hello", token=ada.token)
        assert (await hear(socket))["user"] == ada.user
        await say(socket, type="subscribe", id="s", conversation=conversation)
        reader.take(await hear(socket))
        await say(socket, type="send", id="m", conversation=conversation, text="say 60 tokens at 300/s")
        reply = ""
        while reply not in reader.ends:
            frame = await hear(socket)
            if frame.get("id") == "m":
                reply = frame["reply"]
            elif "offset" in frame:
                events.append(frame)
                reader.take(frame)
        await beside.until_end(reply)
    assert reader.texts[reply] == spoken(60)
    assert events == [f for f in beside.heard if "offset" in f and f["type"] != "subscribed"]
    async with packed(house.there, "chat.v1.msgpack") as socket:
        await say(socket, type="hello", token=ada.token)
        await hear(socket)
        await say(socket, type="subscribe", conversation=conversation, after=beside.reader.after)
        assert (await hear(socket))["recovered"]


async def test_the_first_that_is_known_is_taken(house: House) -> None:
    """As the client prefers; of none that is known, none."""
    for offered, taken in (
        (("chat.v1", "chat.v1.msgpack"), "chat.v1"),
        (("other", "chat.v1.msgpack"), "chat.v1.msgpack"),
    ):
        async with packed(house.here, *offered) as socket:
            assert socket.subprotocol == taken


@pytest.mark.parametrize(
    "raw", [b"\xc1", b"", b"\x93\x01", pack([1]), pack({"type": 1}), pack({1: b"\xff"}), "{}"]
)
async def test_what_is_no_frame_is_said_to_be_none(house: House, ada: Http, raw: bytes | str) -> None:
    """Bytes of any kind, and text, which is another subprotocol's: an error, and the socket lives on."""
    async with packed(house.here, "chat.v1.msgpack") as socket:
        await say(socket, type="hello", token=ada.token)
        await hear(socket)
        await socket.send(raw)
        assert (await hear(socket))["code"] in {"bad_frame", "invalid", "unknown_type"}
        await say(socket, type="ping", id="1")
        assert await hear(socket) == {"type": "pong", "id": "1"}


@given(
    said=st.lists(
        st.binary(max_size=80)
        | st.dictionaries(st.text(max_size=5), st.integers(-(2**63), 2**64 - 1)).map(pack),
        max_size=8,
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_never_do_harm(house: House, said: list[bytes]) -> None:
    """Documented errors, a documented close, and nothing else."""
    url = house.here.replace("http", "ws", 1) + "/ws"
    with connect_sync(url, subprotocols=["chat.v1.msgpack"], proxy=None, close_timeout=5) as socket:
        try:
            for raw in said:
                socket.send(raw)
            for _ in said:
                frame = unpack(socket.recv(timeout=20))
                assert frame["code"] in documented_codes() - {"internal"}, frame
        except ConnectionClosed:
            assert socket.close_code in documented_close_codes() - {4500}
