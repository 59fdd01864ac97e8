"""A client that is cut off again and again, and comes back to any instance, from where it was."""

import asyncio
import os
import socket
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import httpx2
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.support.client import Chat, Http, Reader, chat, http
from tests.support.listener import listening

_AT_ONCE = struct.pack("ii", 1, 0)
_FRAMES_OF_A_VISIT = (3, 80)
_PAUSE_SECONDS = (0.02, 0.3)


@dataclass
class Wanderer:
    """Follows one conversation on instances whose addresses may change; `cuts` is how often it cuts itself off."""

    urls: Sequence[str]
    token: str
    conversation: str
    chance: Random
    cuts: int = 0
    reader: Reader = field(default_factory=Reader)
    seen: Counter[str] = field(default_factory=Counter)
    """What happened to it, by kind."""
    silent: list[socket.socket] = field(default_factory=list[socket.socket])
    """Connections that it has left without a word: open for all that the server can tell, and nobody reads there."""

    async def until_ended(self, *replies: str) -> None:
        """Come back until all of these replies have ended."""
        try:
            while not all(self.reader.has_ended(reply) for reply in replies):
                await self._come_back(replies)
        finally:
            for end in self.silent:
                end.close()

    async def _come_back(self, replies: Sequence[str]) -> None:
        url = self.chance.choice(self.urls)
        try:
            async with chat(url, self.token, self.reader) as device:
                pause = await self._visit(device, replies)
        except ConnectionClosed as closed:
            self.seen[f"closed {closed.rcvd.code if closed.rcvd else 1006}"] += 1
            pause = self.chance.uniform(*_PAUSE_SECONDS)
        except (OSError, InvalidHandshake):  # the instance is away, or going
            self.seen["refused"] += 1
            pause = self.chance.uniform(*_PAUSE_SECONDS)
        await asyncio.sleep(pause)

    async def _visit(self, device: Chat, replies: Sequence[str]) -> float:
        """One connection, to its end; how long to stay away then."""
        reader, chance = self.reader, self.chance
        self.seen["visits"] += 1
        answer = await device.subscribe(self.conversation, after=reader.after if reader.epoch else None)
        if answer["type"] == "error":
            assert answer["code"] == "unavailable", answer
            return answer["retry_after"]
        self.seen["resumed" if answer["recovered"] else "snapshots"] += 1
        frames = chance.randint(*_FRAMES_OF_A_VISIT) if self.seen["cuts"] < self.cuts else None
        while not all(reader.has_ended(reply) for reply in replies):
            if frames is not None and (frames := frames - 1) < 0:
                await self._cut(device)
                break
            frame = await device.read()
            if frame["type"] == "going_away":
                self.seen["sent away"] += 1
                return frame["reconnect_after"]
            if frame["type"] == "subscribed":
                self.seen["snapshots"] += 1
        return chance.uniform(*_PAUSE_SECONDS)

    async def _cut(self, device: Chat) -> None:
        self.seen["cuts"] += 1
        kind = self.chance.choice(("reset", "stall"))
        self.seen[kind] += 1
        transport = device.socket.transport
        end = transport.get_extra_info("socket")
        if kind == "stall":
            # As long as a second handle holds it, closing the first tells nobody.
            self.silent.append(socket.socket(fileno=os.dup(end.fileno())))
        else:
            # Closing sends a reset instead of a goodbye.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        transport.abort()


@dataclass
class Overhearer(Wanderer):
    """The same over server-sent events: its place is the `Last-Event-ID`."""

    last_id: str = ""

    async def _come_back(self, replies: Sequence[str]) -> None:
        frames = self.chance.randint(*_FRAMES_OF_A_VISIT) if self.seen["cuts"] < self.cuts else None
        try:
            async with http(self.chance.choice(self.urls), self.token) as guest:
                await self._overhear(guest, replies, frames)
        except StopAsyncIteration:
            self.seen["ends of streams"] += 1
        except httpx2.TransportError:
            self.seen["refused"] += 1
        await asyncio.sleep(self.chance.uniform(*_PAUSE_SECONDS))

    async def _overhear(self, guest: Http, replies: Sequence[str], frames: int | None) -> None:
        async with listening(guest, self.conversation, self.last_id, self.reader) as stream:
            self.seen["visits"] += 1
            try:
                while not all(self.reader.has_ended(reply) for reply in replies):
                    if frames is not None and (frames := frames - 1) < 0:
                        self.seen["cuts"] += 1
                        return
                    frame = await stream.read()
                    if frame["type"] == "subscribed":
                        self.seen["resumed" if frame["recovered"] else "snapshots"] += 1
            finally:
                self.last_id = stream.last_id or self.last_id


def told(wanderers: Sequence[Wanderer]) -> str:
    """What happened to all of them."""
    total = sum((wanderer.seen for wanderer in wanderers), Counter())
    return ", ".join(f"{number} {kind}" for kind, number in sorted(total.items()))
