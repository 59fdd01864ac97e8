"""Somebody at the end of a feed, below hub and sessions: what comes there, and whether it comes at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from realtime.errors import Unavailable
from realtime.log.contract import Log, Published, Record
from server.storage.database import stopped

_MOMENT_SECONDS = 0.05


class FeedListener:
    """`heard` is what came, by topic."""

    def __init__(self, log: Log, feed: Any) -> None:
        self.log = log
        self.feed = feed
        self.heard: dict[str, set[bytes]] = {}
        self._number = 0

    async def run(self) -> None:
        """Hear until cancelled."""
        async for published in self.feed.events():
            if isinstance(published, Published):
                self.heard.setdefault(published.topic, set()).add(published.body)

    async def is_live(self, topic: str) -> bool:
        """Whether something that is appended now is heard; not, while it cannot be appended."""
        self._number += 1
        body = b"%d" % self._number
        try:
            await self.log.append(topic, [Record(body)])
        except Unavailable:
            return False
        await asyncio.sleep(_MOMENT_SECONDS)
        return body in self.heard.get(topic, ())


@asynccontextmanager
async def hearing(log: Log, feed: Any) -> AsyncGenerator[FeedListener]:
    """Hear while the body runs."""
    one = FeedListener(log, feed)
    running = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        await stopped([running])
