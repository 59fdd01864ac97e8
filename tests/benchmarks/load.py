"""Many light WebSocket clients in one process: they count frames, and look into none of them.

`python -m tests.benchmarks.load` reads a `Plan` (a line of JSON), connects all, prints `{"ready": n}`, and answers
`count N SECONDS` once every client has N frames: `{"least", "most", "bytes"}`, however many they were in time.
"""

import asyncio
import base64
import os
import sys
from collections.abc import Callable
from typing import TypeVar, cast

import msgspec

from tests.benchmarks.children import commands, run, say

_AT_ONCE = 50
_CONNECT_SECONDS = 60.0
_POLL_SECONDS = 0.02


class Plan(msgspec.Struct, kw_only=True):
    """Whom to connect to, what each client says first, and which frame shows that it may begin.

    `greetings[i]` are client i's; the frames that begin with `counted` are those that count.
    """

    port: int
    greetings: list[list[str]]
    path: str = "/"
    protocol: str = ""
    ready: str = ""
    counted: str = ""


class Client(asyncio.Protocol):
    """One connection, from its handshake on."""

    def __init__(self, plan: Plan, greeting: list[str]) -> None:
        self.plan = plan
        self.greeting = greeting
        self.ready = asyncio.Event()
        self.frames = 0
        self.bytes = 0
        self._ready = plan.ready.encode()
        self._counted = plan.counted.encode()
        self._transport: asyncio.Transport
        self._upgraded = False
        self._rest = b""

    def began(self, payload: bytes) -> None:
        """The frame that shows that the client may begin; empty where none is waited for."""

    def take(self, payload: bytes) -> None:
        """A text frame, once the client is ready."""
        if payload.startswith(self._counted):
            self.frames += 1
            self.bytes += len(payload)

    def send(self, opcode: int, payload: bytes) -> None:
        """A masked frame; a mask of zeros leaves the payload as it is."""
        size = len(payload)
        length = bytes((128 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self._transport.write(bytes((128 | opcode,)) + length + bytes(4) + payload)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast("asyncio.Transport", transport)
        key = base64.b64encode(os.urandom(16)).decode()
        protocol = f"Sec-WebSocket-Protocol: {self.plan.protocol}\r\n" if self.plan.protocol else ""
        request = (
            f"GET {self.plan.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.plan.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{protocol}\r\n"
        )
        self._transport.write(request.encode())

    def data_received(self, data: bytes) -> None:
        """Cut what came into frames."""
        data = self._rest + data if self._rest else data
        at = 0
        if not self._upgraded:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._rest = data
                return
            self._begin(data[:end])
            at = end + 4
        size = len(data)
        while size - at >= 2:
            header, length = 2, data[at + 1]
            if length == 126:
                header, length = 4, int.from_bytes(data[at + 2 : at + 4], "big")
            elif length == 127:
                header, length = 10, int.from_bytes(data[at + 2 : at + 10], "big")
            if size - at < header + length:
                break
            self._take(data[at] & 15, data[at + header : at + header + length])
            at += header + length
        self._rest = data[at:]

    def _begin(self, head: bytes) -> None:
        assert b" 101 " in head.partition(b"\r\n")[0], head
        self._upgraded = True
        for text in self.greeting:
            self.send(1, text.encode())
        if not self.plan.ready:
            self.ready.set()
            self.began(b"")

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == 9:
            self.send(10, payload)
        elif opcode == 8:
            self.send(8, payload)
        elif payload == b"2":  # Engine.IO asks whether we live
            self.send(1, b"3")
        elif not self.ready.is_set():
            if payload.startswith(self._ready):
                self.ready.set()
                self.began(payload)
        else:
            self.take(payload)


C = TypeVar("C", bound=Client)


async def connect(plan: Plan, make: Callable[[Plan, list[str]], C]) -> list[C]:
    """A client for each greeting, all ready."""
    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(greeting: list[str]) -> C:
        async with gate:
            client = make(plan, greeting)
            await loop.create_connection(lambda: client, "127.0.0.1", plan.port)
            await client.ready.wait()
            return client

    async with asyncio.timeout(_CONNECT_SECONDS):
        return list(await asyncio.gather(*(one(greeting) for greeting in plan.greetings)))


async def _count(clients: list[Client], frames: int, seconds: float) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while (least := min(client.frames for client in clients)) < frames:
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(_POLL_SECONDS)
    say(least=least, most=max(c.frames for c in clients), bytes=sum(c.bytes for c in clients))
    for client in clients:
        client.frames = client.bytes = 0


async def _main() -> None:
    plan = msgspec.json.decode(sys.stdin.readline(), type=Plan)
    clients = await connect(plan, Client)
    say(ready=len(clients))
    async for command in commands():
        await _count(clients, int(command[1]), float(command[2]))


if __name__ == "__main__":
    run(_main())
