"""A socket whose client reads, or does not, and an application with the simplest of answers."""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from realtime.contract import SocketClosed
from realtime.log.contract import Reading
from realtime.outbox import Merger
from realtime.session import ClientFrame, CloseCode, Refused
from tests.support.scripted_client import Frame, decode


def payload(frame: bytes) -> bytes:
    """What is inside a ready frame."""
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]


def separate(frames: bytes) -> list[bytes]:
    """Ready frames that were written together, one by one."""
    found: list[bytes] = []
    while frames:
        head = {126: 4, 127: 10}.get(frames[1], 2)
        size = frames[1] if head == 2 else int.from_bytes(frames[2:head], "big")
        found.append(frames if len(frames) == head + size else frames[: head + size])
        frames = frames[head + size :]
    return found


class ScriptedSocket:
    """`realtime.contract.Socket`."""

    def __init__(self, *, packed: bool = False) -> None:
        self.packed = packed
        self.reading = asyncio.Event()
        """While it is clear, the client does not read: nothing can be written."""
        self.reading.set()
        self.frames: list[bytes] = []
        """Ready frames."""
        self.written: list[dict[str, Any]] = []
        """All that was written, ready or not."""
        self.writes: list[int] = []
        """Bytes of each write of ready frames."""
        self.writable = math.inf
        """Bytes of ready frames that are taken before the client stops reading."""
        self.closed: int | None = None
        self.aborted = False
        self.incoming: asyncio.Queue[str | bytes | None] = asyncio.Queue()

    def say(self, *raw: str | bytes) -> None:
        """What the client sends."""
        for one in raw:
            self.incoming.put_nowait(one)

    def leave(self) -> None:
        """The client goes away."""
        self.incoming.put_nowait(None)

    def types(self) -> list[str]:
        """The types of all that was written."""
        return [message["type"] for message in self.written]

    def try_write(self, frame: bytes) -> bool:
        """See the port."""
        if not self.reading.is_set():
            return False
        self.writes.append(len(frame))
        if sum(self.writes) > self.writable:
            self.reading.clear()
        for one in separate(frame):
            self.frames.append(one)
            self.written.append(self._decoded(payload(one)))
        return True

    async def send(self, payload: bytes) -> None:
        """See the port."""
        await self.reading.wait()
        self.written.append(self._decoded(payload))

    def _decoded(self, payload: bytes) -> Any:
        return msgspec.msgpack.decode(payload) if self.packed else json.loads(payload)

    async def receive(self) -> str | bytes:
        """See the port."""
        message = await self.incoming.get()
        if message is None:
            raise SocketClosed
        return message

    async def close(self, code: int, reason: str) -> None:
        """See the port."""
        assert reason
        await self.reading.wait()
        self.closed = code
        self.leave()

    def abort(self) -> None:
        """See the port."""
        self.aborted = True
        self.leave()


class JoinText:
    """Bodies with the same `reply` merge: their texts are joined."""

    def key(self, body: bytes) -> str | None:
        """See `Merger`."""
        reply: str | None = json.loads(body).get("reply")
        return reply

    def merge(self, bodies: Sequence[bytes]) -> bytes:
        """See `Merger`."""
        parsed = [json.loads(body) for body in bodies]
        return json.dumps({**parsed[0], "text": "".join(event["text"] for event in parsed)}).encode()


class ScriptedApplication:
    """`realtime.contract.Application`: everybody may come in who is not called `stranger`."""

    def __init__(self) -> None:
        self.merger: Merger = JoinText()
        self.refused: Exception | None = None
        """What `admit` raises."""
        self.broken: Exception | None = None
        """What `snapshot` raises."""
        self.padding = ""
        """What makes a snapshot large."""
        self.showing = asyncio.Event()
        """While it is clear, snapshots are not ready."""
        self.showing.set()

    def decode(self, raw: str) -> ClientFrame:
        """See the port."""
        return decode(raw)

    async def greet(self, frame: ClientFrame) -> tuple[str, Mapping[str, object], float]:
        """See the port."""
        assert isinstance(frame, Frame)
        if frame.id == "stranger":
            raise Refused("unauthenticated", "Who are you?", close=CloseCode.UNAUTHENTICATED)
        return "usr_1", {"session": "ses_1"}, math.inf

    async def admit(self, user: str, topic: str) -> None:
        """See the port."""
        assert user == "usr_1"
        if self.refused is not None:
            raise self.refused

    def has_company(self, topic: str) -> bool:
        """See the port."""
        return True

    async def snapshot(self, topic: str, reading: Reading) -> object:
        """See the port."""
        await self.showing.wait()
        if self.broken is not None:
            raise self.broken
        return {"as_of": reading.position.offset, "padding": self.padding}

    async def handle(self, user: str, frame: ClientFrame) -> Mapping[str, object]:
        """See the port."""
        if frame.type == "forbid":
            raise Refused("forbidden", "No.", field="type")
        return {"type": "handled", "user": user}
