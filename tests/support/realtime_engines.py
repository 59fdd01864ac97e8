"""The engines behind the ports of `realtime`, for the contract suites: what a suite needs beside the port itself.

Another engine joins by a class like `RedisEngine` and a line in `LOG_ENGINES`.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from redis.asyncio.cluster import RedisCluster

from realtime.attendance.contract import Attendance
from realtime.attendance.redis import RedisAttendance
from realtime.board.contract import Board
from realtime.board.redis import RedisBoard
from realtime.handover.contract import Handover, OneByOne
from realtime.handover.redis import RedisHandover
from realtime.leases.contract import Leases
from realtime.leases.redis import RedisLeases
from realtime.log.cluster_feed import ClusterFeed
from realtime.log.contract import Feed, Log, Notice, Published, Retention
from realtime.log.redis import RedisLog
from realtime.log.redis_feed import RedisFeed
from realtime.queue.contract import Queue
from realtime.queue.redis import RedisQueue
from realtime.redis import Client, command_client, subscription_client
from realtime.signals.contract import Signals
from realtime.signals.redis import RedisSignals
from server.embedded.port import LOOPBACK, free_port
from tests.support.scripted_attendance import ScriptedAttendance
from tests.support.scripted_log import ScriptedFeed, ScriptedLog
from tests.support.waiting import wait_until


class LogEngine(Protocol):
    """An engine of the log, for as long as one test runs."""

    def log(self, retention: Retention | None = None) -> Log:
        """Make a log."""
        ...

    def feed(self) -> Feed:
        """Make a feed of the same engine."""
        ...

    def attendance(self) -> Attendance:
        """Make attendance, whose notices come out of the feeds."""
        ...

    async def empty(self, name: str) -> None:
        """Lose all that is kept under a topic or lane, as an engine does whose disk was lost."""
        ...

    async def cut_feeds(self) -> None:
        """Drop the connections of all feeds."""
        ...


class Engine(LogEngine, Protocol):
    """An engine of everything."""

    def queue(self, lease_seconds: float = 5.0, max_depth: int = 10_000) -> Queue:
        """Make a queue."""
        ...

    def handover(self) -> Handover:
        """Make a handover to the log and the queue."""
        ...

    def signals(self) -> Signals:
        """Make signals."""
        ...

    def leases(self) -> Leases:
        """Make leases."""
        ...

    async def lifetimes(self, name: str) -> dict[str, int]:
        """Every key of a topic, and its seconds to live; negative for one that lives for ever."""
        ...

    @property
    def board(self) -> Board:
        """Its board."""
        ...


class RedisEngine:
    """Redis or Valkey: one server, or several."""

    def __init__(self, commands: Client, subscriptions: Client) -> None:
        self.commands: Any = commands
        self._subscriptions = subscriptions

    def log(self, retention: Retention | None = None) -> Log:
        """See `Engine`."""
        return RedisLog(self.commands, retention)

    def feed(self) -> Feed:
        """See `Engine`."""
        if isinstance(self._subscriptions, RedisCluster):
            return ClusterFeed(self._subscriptions)
        return RedisFeed(self._subscriptions)

    def attendance(self) -> Attendance:
        """See `LogEngine`."""
        return RedisAttendance(self.commands)

    def queue(self, lease_seconds: float = 5.0, max_depth: int = 10_000) -> Queue:
        """See `Engine`."""
        return RedisQueue(self.commands, lease_seconds, max_depth)

    def handover(self) -> Handover:
        """See `Engine`."""
        log, queue = RedisLog(self.commands), RedisQueue(self.commands)
        if isinstance(self.commands, RedisCluster):
            return OneByOne(log, queue)
        return RedisHandover(self.commands, log, queue)

    @property
    def board(self) -> Board:
        """See `Engine`."""
        return RedisBoard(self.commands)

    def signals(self) -> Signals:
        """See `Engine`."""
        return RedisSignals(self.commands, self._subscriptions)

    def leases(self) -> Leases:
        """See `Engine`."""
        return RedisLeases(self.commands)

    async def empty(self, name: str) -> None:
        """See `Engine`."""
        for key in await self._keys(name):
            await self.commands.delete(key)

    async def cut_feeds(self) -> None:
        """See `Engine`."""
        everywhere = {"target_nodes": "primaries"} if isinstance(self.commands, RedisCluster) else {}
        await self.commands.execute_command("CLIENT KILL", "TYPE", "pubsub", **everywhere)

    async def lifetimes(self, name: str) -> dict[str, int]:
        """See `Engine`."""
        return {key.decode(): await self.commands.ttl(key) for key in await self._keys(name)}

    async def _keys(self, name: str) -> list[bytes]:
        return [key async for key in self.commands.scan_iter(match=f"*:{{{name}}}*", count=1000)]


@asynccontextmanager
async def redis_engine(url: str) -> AsyncGenerator[RedisEngine]:
    """Connect as the wiring does."""
    async with AsyncExitStack() as stack:
        commands = await stack.enter_async_context(command_client(url))
        yield RedisEngine(commands, await stack.enter_async_context(subscription_client(url)))


class ScriptedEngine:
    """The double of the unit tests: what is proved with it holds only as far as it obeys the port."""

    def __init__(self) -> None:
        self._log = ScriptedLog()

    def log(self, retention: Retention | None = None) -> Log:
        """See `LogEngine`."""
        if retention:
            self._log = ScriptedLog(retention)
        return self._log

    def feed(self) -> Feed:
        """See `LogEngine`."""
        return ScriptedFeed(self._log)

    def attendance(self) -> Attendance:
        """See `LogEngine`."""
        attendance = ScriptedAttendance()
        attendance.listeners.append(self._log.tell)
        return attendance

    async def empty(self, name: str) -> None:
        """See `LogEngine`."""
        self._log.empty(name)

    async def cut_feeds(self) -> None:
        """See `LogEngine`."""
        for feed in self._log.feeds:
            feed.cut()


@asynccontextmanager
async def scripted_engine(url: str) -> AsyncGenerator[LogEngine]:
    """It needs no address."""
    yield ScriptedEngine()


ENGINES = {"redis": "redis_url", "cluster": "cluster_url", "sentinel": "sentinel_url"}
"""By name, the fixture that knows its address. All of them speak to `redis_engine`."""

LOG_ENGINES: dict[str, tuple[Callable[[str], AbstractAsyncContextManager[LogEngine]], str]] = {
    **{name: (redis_engine, address) for name, address in ENGINES.items()},
    "scripted": (scripted_engine, "redis_url"),
}
"""By name, how to connect, and the fixture that knows where to."""

NOWHERE = {
    "redis": "redis://{address}/0",
    "cluster": "redis+cluster://{address}",
    "sentinel": "redis+sentinel://{address}/mymaster",
}


def nowhere(kind: str = "redis") -> str:
    """A URL that nothing answers at."""
    return NOWHERE[kind].format(address=f"{LOOPBACK}:{free_port()}")


@dataclass
class Heard:
    """What came out of a feed; None is kept as None."""

    items: list[Published | Notice | None] = field(default_factory=list)

    @property
    def entries(self) -> list[tuple[int, bytes]]:
        """Offsets and bodies."""
        return [(item.position.offset, item.body) for item in self.items if isinstance(item, Published)]

    @property
    def notices(self) -> list[Notice]:
        """What is of no log."""
        return [item for item in self.items if isinstance(item, Notice)]

    async def until(self, count: int) -> None:
        """Wait for so many entries."""

        async def enough() -> bool:
            return len(self.entries) >= count

        await wait_until(enough)

    async def until_whole(self, times: int = 1) -> None:
        """Wait until the feed has said so many times that it is connected, and may have missed something."""

        async def said() -> bool:
            return self.items.count(None) >= times

        await wait_until(said)


@asynccontextmanager
async def listening(feed: Feed, *, connected: bool = True) -> AsyncGenerator[Heard]:
    """Read a feed while the body runs; unless said otherwise, it is connected when the body begins."""
    heard = Heard()

    async def listen() -> None:
        async for item in feed.events():
            heard.items.append(item)

    task = asyncio.create_task(listen())
    try:
        if connected:
            await heard.until_whole()
        yield heard
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
