"""The first level: a dictionary in this process, bounded by time and by number.

What nobody has asked for longest goes first.
"""

import random
from typing import Any, cast

from aiocache import SimpleMemoryCache

_SPREAD = 0.1


def jittered(seconds: float) -> float:
    """A little more or less, so that what was kept at once is not missed at once."""
    return seconds * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 - a spread, not a secret


class Memory:
    """At most `most` values. None of its methods waits for anything."""

    def __init__(self, most: int) -> None:
        # Its own time limit would cost a task for each read, and there is nothing to wait for.
        self._cache: Any = SimpleMemoryCache(timeout=0)
        self._order: dict[str, None] = {}
        self._most = most

    def __len__(self) -> int:
        return len(self._order)

    async def get(self, key: str) -> object | None:
        """What is kept, or None."""
        found = cast("object | None", await self._cache.get(key))
        if key in self._order:
            del self._order[key]
            if found is not None:
                self._order[key] = None
        return found

    async def set(self, key: str, value: object, seconds: float) -> None:
        """Keep it for so long."""
        await self._cache.set(key, value, ttl=jittered(seconds))
        self._order.pop(key, None)
        self._order[key] = None
        while len(self._order) > self._most:
            await self.delete(next(iter(self._order)))

    async def delete(self, key: str) -> None:
        """Keep it no longer."""
        self._order.pop(key, None)
        await self._cache.delete(key)

    async def empty(self) -> None:
        """Keep nothing."""
        for key in list(self._order):
            await self.delete(key)
