"""Signals over the pub/sub of Redis or Valkey."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import structlog
from redis.exceptions import RedisClusterException, RedisError

from realtime.redis import Client, each, house_channel, translated_errors

_log = structlog.get_logger(__name__)

_RETRY_SECONDS = 0.5
_PING_SECONDS = 3.0
"""Silence of so long is asked about, and as much again is deafness."""


class RedisSignals:
    """`realtime.signals.contract.Signals`: `commands` to send with, `subscriptions` to listen with."""

    def __init__(self, commands: Client, subscriptions: Client) -> None:
        self._commands = commands
        self._subscriptions: Any = subscriptions  # redis-py leaves the types of pub/sub open

    async def send(self, name: str, value: str) -> None:
        """See the port."""
        async with translated_errors():
            # On a cluster too it reaches all: signals are few, and not of any topic.
            channel = house_channel(self._commands, f"signal:{name}")
            [outcome] = await each(self._commands, [("PUBLISH", channel, value)])
            if isinstance(outcome, BaseException):
                raise outcome

    async def listen(self, name: str) -> AsyncIterator[str]:
        """See the port."""
        while True:
            pubsub = self._subscriptions.pubsub()
            try:
                await self._subscriptions.initialize()  # of a cluster, who its servers are
                await pubsub.subscribe(house_channel(self._commands, f"signal:{name}"))
                async for message in _messages(pubsub):
                    if message["type"] == "message":
                        yield cast("bytes", message["data"]).decode()
            except (RedisError, RedisClusterException, OSError, TimeoutError) as error:
                _log.warning("signals lost", error=type(error).__name__, retry_in=_RETRY_SECONDS)
                await asyncio.sleep(_RETRY_SECONDS)
            finally:
                await pubsub.aclose()


async def _messages(pubsub: Any) -> AsyncIterator[dict[str, Any]]:
    """What comes. Errors: `TimeoutError` when nothing does, not even the answer to a ping; those of redis-py."""
    pinged = False
    while True:
        message: dict[str, Any] | None = await pubsub.get_message(timeout=_PING_SECONDS)
        if message is not None:
            pinged = False
            yield message
        elif pinged:
            raise TimeoutError("no answer to a ping")
        else:
            await pubsub.ping()
            pinged = True
