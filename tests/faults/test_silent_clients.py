"""Clients that are there and do nothing: they do not read, or do not answer. They are shown out."""

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from realtime.log.contract import Record
from realtime.log.redis import RedisLog
from realtime.redis import command_client
from server import wiring
from tests.support.client import Http, http
from tests.support.house import House
from tests.support.in_process import serving, settings_of
from tests.support.waiting import wait_until

PATIENCE = 1.0
PING, PONG = b"\x89\x00", b"\x8a\x80\x00\x00\x00\x00"
LARGE = b'{"type":"reply.stage","text":"%s"}' % (b"x" * 20_000)


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute is long in a test."""
    limits = replace(wiring.SOCKET_LIMITS, write_seconds=PATIENCE)
    monkeypatch.setattr(sys.modules["server.wiring.web"], "SOCKET_LIMITS", limits)


@asynccontextmanager
async def silent(url: str, request: str, *frames: bytes) -> AsyncGenerator[socket.socket]:
    """A connection that says what it wants, and neither reads nor speaks from then on."""
    loop, address = asyncio.get_running_loop(), urlsplit(url)
    with closing(socket.socket()) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        end.setblocking(False)
        await loop.sock_connect(end, (address.hostname, address.port))
        await loop.sock_sendall(end, request.encode())
        if frames:
            head = b""
            while b"\r\n\r\n" not in head:
                head += await loop.sock_recv(end, 1)
            await loop.sock_sendall(end, b"".join(frames))
        yield end


async def gauge(guest: Http, name: str) -> float:
    """One of the instance's metrics."""
    lines = (await guest.client.get("/metrics")).text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"tertulia_{name} "))


async def until_gone(guest: Http, name: str, house: House, conversation: str) -> None:
    """Publish until the instance has let go of its client."""
    async with command_client(house.redis_url) as client:
        log = RedisLog(client)

        async def is_gone() -> bool:
            await log.append(conversation, [Record(LARGE)] * 5)
            return await gauge(guest, name) == 0

        await wait_until(is_gone, within=PATIENCE * 20)


def masked(text: str) -> bytes:
    """A client's text frame, for a mask of zeros."""
    return b"\x81\xfe" + len(text).to_bytes(2, "big") + bytes(4) + text.encode()


HANDSHAKE = "\r\n".join(
    (
        "GET /ws HTTP/1.1",
        "Host: here",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol: chat.v1",
        "\r\n",
    )
)


def greeting(guest: Http, conversation: str) -> tuple[str, bytes, bytes]:
    """A handshake, a hello and a subscription."""
    hello = f'{{"type":"hello","token":"{guest.token}"}}'
    subscribe = f'{{"type":"subscribe","conversation":"{conversation}"}}'
    return HANDSHAKE, masked(hello), masked(subscribe)


async def test_a_listener_that_does_not_read_is_cut_off(house: House, tmp_path: Path) -> None:
    """Its events merge, lapse, and in the end its stream is ended by us; what it has read, it can resume from."""
    async with serving(settings_of(house, tmp_path)) as url, http(url) as guest:
        conversation = await guest.conversation()
        request = (
            f"GET /v1/conversations/{conversation}/events HTTP/1.1\r\nHost: here\r\n"
            f"Authorization: Bearer {guest.token}\r\n\r\n"
        )
        async with silent(url, request) as end:
            await wait_until(lambda: _is(guest, "event_streams", 1))
            await until_gone(guest, "event_streams", house, conversation)
            await wait_until(lambda: _is_reset(end))


async def test_a_socket_that_does_not_read_is_closed(house: House, tmp_path: Path) -> None:
    """The same over a WebSocket: 1013, where it still gets through, and the connection is gone."""
    async with serving(settings_of(house, tmp_path)) as url, http(url) as guest:
        conversation = await guest.conversation()
        async with silent(url, *greeting(guest, conversation)):
            await wait_until(lambda: _is(guest, "sockets", 1))
            await until_gone(guest, "sockets", house, conversation)


async def test_a_peer_that_died_without_a_word_is_noticed(house: House, tmp_path: Path) -> None:
    """It reads nothing that matters and answers no ping: nothing has to be published for that."""
    async with serving(settings_of(house, tmp_path), heartbeat=0.3) as url, http(url) as guest:
        conversation = await guest.conversation()
        async with silent(url, *greeting(guest, conversation)):
            await wait_until(lambda: _is(guest, "sockets", 1))
            await wait_until(lambda: _is(guest, "sockets", 0))


async def test_a_peer_that_does_nothing_but_answer_pings_stays(house: House, tmp_path: Path) -> None:
    """Every ping is the same few bytes, and a pong is all the life that is asked for."""
    async with serving(settings_of(house, tmp_path), heartbeat=0.2) as url, http(url) as guest:
        conversation = await guest.conversation()
        async with silent(url, *greeting(guest, conversation)) as end:
            loop, said, answered = asyncio.get_running_loop(), b"", 0
            while answered < 8:
                chunk = await loop.sock_recv(end, 65536)
                assert chunk, "it was let go of"
                said += chunk
                asked = said.count(PING)
                await loop.sock_sendall(end, (asked - answered) * PONG)
                answered = asked
            assert await gauge(guest, "sockets") == 1


async def test_one_user_has_only_so_many_sockets(house: House, tmp_path: Path) -> None:
    """One more, of either kind, is refused; when one goes there is room again."""
    settings = settings_of(house, tmp_path, CHAT_SOCKETS_PER_USER=2)
    async with serving(settings) as url, http(url) as guest:
        conversation = await guest.conversation()
        async with silent(url, *greeting(guest, conversation)):
            async with silent(url, *greeting(guest, conversation)):
                await wait_until(lambda: _refused(guest, conversation, 429))
            await wait_until(lambda: _is(guest, "sockets", 1))
            async with silent(url, *greeting(guest, conversation)):
                await wait_until(lambda: _refused(guest, conversation, 429))
                async with silent(url, *greeting(guest, conversation)) as last:
                    loop = asyncio.get_running_loop()
                    said = b""
                    while chunk := await loop.sock_recv(last, 65536):
                        said += chunk
                    assert b'"code":"too_many_sockets"' in said
                    assert said.rpartition(b"\x88")[2][1:3] == (4429).to_bytes(2, "big")


async def _is_reset(end: socket.socket) -> bool:
    """Read what the kernel still holds; whether nothing comes after it, ever."""
    try:
        return not await asyncio.get_running_loop().sock_recv(end, 65536)
    except ConnectionResetError:
        return True


async def _refused(guest: Http, conversation: str, status: int) -> bool:
    path = f"/v1/conversations/{conversation}/events"
    async with guest.client.stream("GET", path) as response:
        return response.status_code == status


async def _is(guest: Http, name: str, value: float) -> bool:
    return await gauge(guest, name) == value
