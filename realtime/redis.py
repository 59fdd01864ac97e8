"""What all engines on Redis or Valkey share: how to connect, and which errors mean that it is away."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from realtime.errors import Unavailable

ANSWER_SECONDS = 5.0
"""How long an engine may take to answer, or to let go of a connection for one more command."""

_CONNECTIONS = 64
_AWAY = frozenset(
    ["BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "READONLY", "TRYAGAIN"]
)


@asynccontextmanager
async def translated_errors() -> AsyncGenerator[None]:
    """Turn "it is away" into `Unavailable`, time limits included. An error that it answered is a bug: it passes."""
    try:
        yield
    except ResponseError as error:
        # It is there, and cannot now: it still reads its file, has no room, or another was promoted in its stead.
        code = error.status_code or str(error).partition(" ")[0]
        if code in _AWAY:
            raise Unavailable(f"redis: {code} {error}") from error
        raise
    except (RedisError, OSError, TimeoutError) as error:
        raise Unavailable(f"redis: {type(error).__name__}") from error


@asynccontextmanager
async def command_client(url: str) -> AsyncGenerator[Redis]:
    """A client for commands and scripts: answers within 5 s, a dropped connection is tried again once.

    More commands at once than connections wait for one another: a crowd that comes back makes no error.
    """
    pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]: redis-py leaves its **kwargs untyped
        url,
        max_connections=_CONNECTIONS,
        timeout=ANSWER_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 1),
        health_check_interval=15,
    )
    async with Redis.from_pool(pool) as client:
        yield client


@asynccontextmanager
async def subscription_client(url: str) -> AsyncGenerator[Redis]:
    """A client for pub/sub: waits for ever, and says at once when its connection is lost instead of mending it."""
    client = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]: as above
        url, socket_timeout=None, socket_connect_timeout=ANSWER_SECONDS, retry=Retry(NoBackoff(), 0)
    )
    async with client:
        yield client
