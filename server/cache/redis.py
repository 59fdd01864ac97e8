"""The second level on Redis or Valkey, and the feed on which the processes tell each other what to forget.

A value's key is `cache:{…}`, and beside it stands a stamp that every `forget` raises: a load that began before writes
nothing. When Redis does not answer within 100 ms it is left alone for a second, instead of being waited for each time.

The feed says of itself whether it hears: a process sends itself a numbered beat each second. Without a connection, or
three seconds without a beat, it is deaf, and what this process keeps by itself is not to be believed; when it hears
again, or has missed a number, all of that is thrown away. The beat is also what finds Redis there again.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import structlog
from aiocache import RedisCache
from aiocache.serializers import NullSerializer
from redis.exceptions import RedisClusterException, RedisError
from uuid_utils import uuid7

from realtime.errors import Unavailable
from realtime.redis import Client, Command, Script, each, house_channel, run, translated_errors
from server.cache.memory import jittered

_log = structlog.get_logger(__name__)

ANSWER_SECONDS = 0.1
_REST_SECONDS = 1.0
_STAMP_SECONDS = 3_600
_BEAT_SECONDS = 1.0
_DEAF_SECONDS = 3.0
_HERE = Path(__file__).parent
_STORE = Script(_HERE / "store.lua")
_FORGET = Script(_HERE / "forget.lua")


@dataclass(frozen=True, slots=True)
class Found:
    """What stands under a key, and the stamp that a load begins with."""

    value: bytes | None
    stamp: bytes


class Shared:
    """None where it is away; `forget` alone says so by `Unavailable`, because somebody has to say it again."""

    def __init__(self, commands: Client, answer_seconds: float) -> None:
        self._commands = commands
        self._answer_seconds = answer_seconds
        self._cache: Any = RedisCache(serializer=NullSerializer(encoding=None), timeout=0)
        self._cache.client = commands  # ours: one pool, whatever stands at the address
        self._rests_until = 0.0
        self.channel = house_channel(commands, "cache:feed")

    @property
    def away(self) -> bool:
        """Whether it is left alone for now."""
        return time.monotonic() < self._rests_until

    async def read(self, key: str) -> Found | None:
        """Value and stamp, as of one moment."""
        if self.away:
            return None
        try:
            async with self._answering():
                value, stamp = cast("list[bytes | None]", await self._cache.multi_get(_keys(key)))
        except Unavailable:
            return None
        return Found(value, stamp or b"")

    async def store(self, key: str, found: Found, value: bytes, seconds: float) -> None:
        """Keep what was loaded, unless it was forgotten since it was `found`."""
        call = (_keys(key), [found.stamp, value, int(jittered(seconds) * 1000)])
        await self._if_there(lambda: run(self._commands, _STORE, [call]))

    async def put(self, key: str, value: bytes, seconds: float) -> None:
        """Keep it whatever stood there."""
        await self._if_there(lambda: self._cache.set(_keys(key)[0], value, ttl=jittered(seconds)))

    async def forget(self, key: str) -> None:
        """Forget it, and tell all processes. Errors: `Unavailable`."""
        if self.away:
            raise Unavailable("redis: left alone")
        async with self._answering():
            await run(self._commands, _FORGET, [(_keys(key), [_STAMP_SECONDS])])
            await self._publish(f"forget {key}")

    async def beat(self, beat: str) -> None:
        """Tell all processes that one of them speaks. Errors: `Unavailable`.

        Nobody waits for it, so it may take longer than what somebody waits for: a process that is still starting
        answers late to its own connection.
        """
        async with self._answering(_BEAT_SECONDS):
            await self._publish(f"beat {beat}")
        self._rests_until = 0.0

    async def _publish(self, said: str) -> None:
        commands: list[Command] = [("PUBLISH", self.channel, said)]
        [outcome] = await each(self._commands, commands)
        if isinstance(outcome, BaseException):
            raise outcome

    async def _if_there(self, call: Callable[[], Awaitable[object]]) -> None:
        if self.away:
            return
        try:
            async with self._answering():
                await call()
        except Unavailable:
            return

    @asynccontextmanager
    async def _answering(self, seconds: float | None = None) -> AsyncGenerator[None]:
        try:
            async with translated_errors(), asyncio.timeout(seconds or self._answer_seconds):
                yield
        except Unavailable:
            self._rests_until = time.monotonic() + _REST_SECONDS
            raise


def _keys(key: str) -> list[str]:
    return [f"cache:{{{key}}}", f"cache:{{{key}}}:stamp"]


class Hearing:
    """Reads the feed: `forget` is called per key, and `gap` whenever something may have been missed."""

    def __init__(
        self,
        shared: Shared,
        subscriptions: Client,
        forget: Callable[[str], Awaitable[None]],
        gap: Callable[[], Awaitable[None]],
    ) -> None:
        self._shared = shared
        self._subscriptions: Any = subscriptions  # redis-py leaves the types of pub/sub open
        self._forget = forget
        self._gap = gap
        self._me = uuid7().hex
        self._sent = 0
        self._last: int | None = None
        self._heard_at = 0.0

    @property
    def hears(self) -> bool:
        """Whether all that was told until a moment ago has come here."""
        return self._last is not None and time.monotonic() - self._heard_at < _DEAF_SECONDS

    async def beat(self) -> None:
        """Speak, for ever."""
        while True:
            self._sent += 1
            with suppress(Unavailable):  # whoever does not hear it is deaf, and knows
                await self._shared.beat(f"{self._me} {self._sent}")
            await asyncio.sleep(_BEAT_SECONDS)

    async def listen(self) -> None:
        """Hear, for ever: a lost connection is mended."""
        while True:
            pubsub = self._subscriptions.pubsub()
            try:
                await self._subscriptions.initialize()  # of a cluster, who its servers are
                await pubsub.subscribe(self._shared.channel)
                async for message in pubsub.listen():
                    if message["type"] == "message":
                        await self._take(cast("bytes", message["data"]).decode())
            except (RedisError, RedisClusterException, OSError) as error:
                _log.warning("deaf to the cache's feed", error=type(error).__name__)
            finally:
                self._last = None
                await pubsub.aclose()
            await asyncio.sleep(_BEAT_SECONDS / 2)

    async def _take(self, said: str) -> None:
        what, _, rest = said.partition(" ")
        if what == "forget":
            await self._forget(rest)
            return
        who, _, number = rest.partition(" ")
        if who != self._me:
            return
        if self._last is None or int(number) != self._last + 1 or not self.hears:
            await self._gap()
        self._last = int(number)
        self._heard_at = time.monotonic()
