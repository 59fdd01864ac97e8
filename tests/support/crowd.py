"""Many clients of one conversation that only read, and how long each frame took to get to them.

While frames come they are only kept, each once however many clients got it; what they say is checked afterwards. The
delay is counted from the moment at which the engine's pub/sub had the event here.
"""

import asyncio
import copy
import json
import math
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from realtime.log.redis import channel
from tests.support.client import Chat, Reader, chat

_END = b'"type":"reply.completed"'


class Crowd:
    """`chats` follow one conversation."""

    def __init__(self, conversation: str, redis_url: str, chats: list[Chat]) -> None:
        self._conversation = conversation
        self._redis_url = redis_url
        self._chats = chats
        self._kept: dict[bytes, bytes] = {}

    async def read_to_the_end(self) -> list[float]:
        """Read until one more reply has ended, for everybody; the delays in milliseconds, sorted."""
        async with Redis.from_url(self._redis_url) as client, client.pubsub() as pubsub:
            await pubsub.subscribe(channel(self._conversation))
            published = asyncio.create_task(_published(pubsub))
            heard = await asyncio.gather(*(self._heard(one) for one in self._chats))
            moments = await published
        self._check([[frame for frame, _ in frames] for frames in heard])
        return sorted(
            (moment - moments[offset]) * 1000
            for frames in heard
            for frame, moment in frames
            if (offset := json.loads(frame).get("offset")) in moments
        )

    async def _heard(self, one: Chat) -> list[tuple[bytes, float]]:
        now = asyncio.get_running_loop().time
        heard: list[tuple[bytes, float]] = []
        while not heard or _END not in heard[-1][0][:200]:
            frame = await one.socket.recv(decode=False)
            heard.append((self._kept.setdefault(frame, frame), now()))
        return heard

    def _check(self, heard: list[list[bytes]]) -> None:
        """Have a reader read it all; those who have got the very same frames so far are one reader."""
        readers: dict[tuple[int, ...], Reader] = {}
        for one, frames in zip(self._chats, heard, strict=True):
            same = (id(one.reader), *map(id, frames))
            if same not in readers:
                readers[same] = copy.deepcopy(one.reader)
                for frame in frames:
                    readers[same].take(json.loads(frame))
            one.reader = readers[same]

    def texts(self, reply: str) -> set[str]:
        """What they have for a reply."""
        return {one.reader.texts[reply] for one in self._chats}


async def _published(pubsub: Any) -> dict[int, float]:
    moments: dict[int, float] = {}
    now = asyncio.get_running_loop().time
    async for message in pubsub.listen():
        if message["type"] == "message" and not message["data"].startswith(b"! "):  # which is a notice
            _, offset, body = message["data"].split(b" ", 2)
            moments[int(offset)] = now()
            if _END in body[:200]:
                break
    return moments


@asynccontextmanager
async def crowd(
    url: str, token: str, conversation: str, redis_url: str, number: int
) -> AsyncGenerator[Crowd]:
    """So many sockets at one instance, each subscribed."""
    async with AsyncExitStack() as stack:
        chats = [await stack.enter_async_context(chat(url, token, ping_interval=None)) for _ in range(number)]
        for one in chats:
            await one.subscribe(conversation)
            one.reader = chats[0].reader  # nothing has happened yet
        yield Crowd(conversation, redis_url, chats)


def percentile(sorted_values: list[float], share: float) -> float:
    """The value that so large a share does not exceed."""
    return sorted_values[max(0, math.ceil(share * len(sorted_values)) - 1)]
