"""Live entries over one pub/sub connection, which heals itself and says when it did.

redis-py's default socket time limit breaks a quiet subscription, so this connection has none; that it is alive is
checked by a ping instead.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any, cast

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from realtime.errors import Unavailable
from realtime.log.contract import Notice, Position, Published
from realtime.log.redis import channel

_log = structlog.get_logger(__name__)

_PING_SECONDS = 3.0
"""Silence of so long is asked about, and as much again is deafness."""
_FOLLOW_SECONDS = 5.0
_RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
_KEEPALIVE = "log:keepalive"


class RedisFeed:
    """`realtime.log.contract.Feed`. `client` must not decode responses and must have no socket time limit.

    `sharded`: the server is one of a cluster; `lost` is then called when it does not serve what is wanted of it.
    """

    def __init__(
        self, client: Redis, *, sharded: bool = False, lost: Callable[[], object] | None = None
    ) -> None:
        self._client = client
        self._subscribe, self._unsubscribe = (
            ("ssubscribe", "sunsubscribe") if sharded else ("subscribe", "unsubscribe")
        )
        self._message = "smessage" if sharded else "message"
        self._lost = lost
        self._pubsub: PubSub | None = None
        self._wanted: dict[str, asyncio.Event] = {}
        self._leaving: Counter[str] = Counter()
        """How many farewells of ours the engine still has to confirm."""

    async def follow(self, topic: str) -> None:
        """See the port."""
        name = channel(topic)
        confirmed = self._wanted.get(name)
        if confirmed is None:
            confirmed = self._wanted[name] = asyncio.Event()
            await self._tell(self._subscribe, name)
        if confirmed.is_set():
            return
        try:
            async with asyncio.timeout(_FOLLOW_SECONDS):
                await confirmed.wait()
        except TimeoutError as error:
            # It stays wanted: others may have followed it for long, and wait for the same connection.
            raise Unavailable("redis: the subscription was not confirmed in time") from error

    async def unfollow(self, topic: str) -> None:
        """See the port."""
        name = channel(topic)
        if self._wanted.pop(name, None) is not None:
            if self._pubsub is not None:
                self._leaving[name] += 1
            await self._tell(self._unsubscribe, name)

    async def events(self) -> AsyncIterator[Published | Notice | None]:
        """See the port. Runs until it is closed; one reader at a time."""
        failures = 0
        while True:
            pubsub = cast("PubSub", cast("Any", self._client).pubsub())
            self._leaving.clear()
            try:
                # A subscription of its own keeps the connection open when no topic is followed.
                await cast("Any", pubsub).subscribe(_KEEPALIVE)
                included = set(self._wanted)
                await self._follow_all(pubsub, included)
                # From here on `follow` tells the engine itself; this is what it could not tell meanwhile.
                self._pubsub = pubsub
                late = self._wanted.keys() - included
                await self._follow_all(pubsub, late)
                async for message in self._messages(pubsub, awaited={_KEEPALIVE} | included | late):
                    failures = 0
                    yield message
            except (RedisError, OSError, TimeoutError) as error:
                delay = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)]
                failures += 1
                _log.warning("feed lost", error=type(error).__name__, retry_in=delay)
                for confirmed in self._wanted.values():
                    confirmed.clear()
                if self._lost is not None:
                    self._lost()
                await asyncio.sleep(delay)
            finally:
                self._pubsub = None
                await pubsub.aclose()

    async def _follow_all(self, pubsub: PubSub, names: Collection[str]) -> None:
        # One command for each: of a cluster's server, channels of several slots cannot be asked for at once.
        for name in names:
            await getattr(pubsub, self._subscribe)(name)

    async def _messages(self, pubsub: PubSub, awaited: set[str]) -> AsyncIterator[Published | Notice | None]:
        """Yield None once all of `awaited` is confirmed: only what is read after that cannot have a hole."""
        pinged = False
        while True:
            message = cast("dict[str, Any] | None", await pubsub.get_message(timeout=_PING_SECONDS))
            if message is None:
                if pinged:
                    raise TimeoutError("no answer to a ping")
                await cast("Any", pubsub).ping()
                pinged = True
                continue
            pinged = False
            kind = message["type"]
            if kind == self._message:
                yield _heard(message["channel"], message["data"])
            elif kind == self._unsubscribe:
                self._left(cast("bytes", message["channel"]).decode())
            elif kind in ("subscribe", self._subscribe):
                name = cast("bytes", message["channel"]).decode()
                if name in self._wanted:
                    self._wanted[name].set()
                if name in awaited:
                    awaited.remove(name)
                    if not awaited:
                        yield None

    def _left(self, name: str) -> None:
        """Ours, and whoever wants it again has said so behind it; or the engine's own farewell: it moved elsewhere."""
        if name in self._leaving:
            self._leaving[name] -= 1
            if not self._leaving[name]:
                del self._leaving[name]
        elif name in self._wanted:
            raise ConnectionError("another server has the topic now")

    async def _tell(self, command: str, name: str) -> None:
        """Send a (un)subscription; when the connection is down, the reconnection sends all that is wanted."""
        pubsub = self._pubsub
        if pubsub is None:
            return
        try:
            await getattr(pubsub, command)(name)
        except (RedisError, OSError):
            _log.info("feed is reconnecting", command=command)


def _heard(name: bytes, data: bytes) -> Published | Notice:
    topic = name[5:-1].decode()
    if data.startswith(b"! "):
        return Notice(topic, data[2:])
    epoch, offset, body = data.split(b" ", 2)
    return Published(topic, Position(epoch.decode(), int(offset)), body)
