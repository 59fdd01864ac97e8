"""What all engines on Redis or Valkey share: how to connect, and which errors mean that it is away."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from realtime.errors import Unavailable

_ANSWER_SECONDS = 5.0


@asynccontextmanager
async def translated_errors() -> AsyncGenerator[None]:
    """Turn "it is away" into `Unavailable`, time limits included. An error that it answered is a bug: it passes."""
    try:
        yield
    except ResponseError as error:
        # It is there, but still reading its file, or a replica that was promoted away from under us.
        if str(error).startswith(("LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN")):
            raise Unavailable(f"redis: {error}") from error
        raise
    except (RedisError, OSError, TimeoutError) as error:
        raise Unavailable(f"redis: {type(error).__name__}") from error


@asynccontextmanager
async def command_client(url: str) -> AsyncGenerator[Redis]:
    """A client for commands and scripts: answers within 5 s, a dropped connection is tried again once."""
    client = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]: redis-py leaves its **kwargs untyped
        url,
        socket_timeout=_ANSWER_SECONDS,
        socket_connect_timeout=_ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=15,
    )
    async with client:
        yield client


@asynccontextmanager
async def subscription_client(url: str) -> AsyncGenerator[Redis]:
    """A client for pub/sub: waits for ever, and says at once when its connection is lost instead of mending it."""
    client = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]: as above
        url, socket_timeout=None, socket_connect_timeout=_ANSWER_SECONDS, retry=Retry(NoBackoff(), 0)
    )
    async with client:
        yield client
