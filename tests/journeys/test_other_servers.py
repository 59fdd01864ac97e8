"""The application on servers that know nothing of its extensions: plain uvicorn, hypercorn and granian."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import msgspec
import pytest
from websockets.asyncio.client import connect

from server.embedded.guarded import GuardedProcess
from server.embedded.port import free_port
from tests.support.client import Http, chat, http
from tests.support.house import House
from tests.support.listener import listening
from tests.support.other_server import SERVERS
from tests.support.talking_model import spoken
from tests.support.waiting import wait_until


@asynccontextmanager
async def serving(name: str, house: House, folder: Path) -> AsyncIterator[str]:
    """Run the application of the house on a server; gives its base URL."""
    port = free_port()
    argv = [sys.executable, "-m", "tests.support.other_server", name, str(port)]
    log = folder / "log"
    with log.open("wb") as output:
        process = GuardedProcess(argv, house.environment, output)
    url = f"http://127.0.0.1:{port}"
    try:
        await wait_until(lambda: _answers(url))
        yield url
        assert "Traceback" not in log.read_text()
    finally:
        await process.close()


async def _answers(url: str) -> bool:
    async with httpx2.AsyncClient(base_url=url, trust_env=False) as client:
        try:
            return (await client.get("/healthz")).is_success
        except httpx2.TransportError:
            return False


@pytest.mark.parametrize("name", sorted(SERVERS))
async def test_a_conversation_on_any_server(house: House, tmp_path: Path, name: str) -> None:
    """A reply over the socket and the event stream, exact; MessagePack as well; a refusal closes as documented."""
    async with serving(name, house, tmp_path) as url, http(url) as guest:
        await _converse(url, guest)
        address = url.replace("http", "ws", 1) + "/ws"
        async with connect(address, subprotocols=["chat.v1.msgpack"], proxy=None) as socket:
            await socket.send(msgspec.msgpack.encode({"type": "hello", "token": guest.token}))
            assert msgspec.msgpack.decode(await socket.recv())["user"] == guest.user
        async with connect(address, subprotocols=["chat.v1"], proxy=None) as socket:
            await socket.send('{"type":"hello","token":"wrong"}')
            await socket.wait_closed()
            assert socket.close_code == 4401


async def _converse(url: str, guest: Http) -> None:
    conversation = await guest.conversation()
    async with listening(guest, conversation) as stream:
        await stream.read()
        async with chat(url, guest.token) as device:
            await device.subscribe(conversation)
            sent = await device.send(conversation, "say 80 tokens at 200/s")
            await asyncio.gather(device.until_end(sent["reply"]), stream.until_end(sent["reply"]))
            assert device.reader.texts[sent["reply"]] == spoken(80)
            assert stream.reader.texts[sent["reply"]] == spoken(80)
            assert (await device.ask("ping"))["type"] == "pong"
