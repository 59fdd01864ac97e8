"""Connections to a hub with a scripted log behind it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from realtime.connection import Connection
from realtime.hub import Hub
from realtime.log.contract import Position, Record
from realtime.session import Limits
from tests.support.scripted_log import ScriptedFeed, ScriptedLog
from tests.support.scripted_socket import ScriptedApplication, ScriptedSocket
from tests.support.subscriber import TOPIC, turn
from tests.support.waiting import wait_until

MEMBERS = b'{"type":"members"}'
"""The event that says that others may follow the topic than before."""

LIMITS = Limits(bad_frames=3, frames_at_once=1000)


class Lobby:
    """A hub with a scripted log behind it, and connections to it."""

    def __init__(self, hub: Hub, log: ScriptedLog, feed: ScriptedFeed) -> None:
        self.hub = hub
        self.log = log
        self.feed = feed
        self.application = ScriptedApplication()
        self.connections: list[Connection] = []
        self._tasks: list[asyncio.Task[None]] = []

    def connect(self, limits: Limits = LIMITS) -> ScriptedSocket:
        """A client that has said nothing yet."""
        socket = ScriptedSocket()
        connection = Connection(socket, self.hub, self.application, limits)
        self.connections.append(connection)
        self._tasks.append(asyncio.create_task(connection.run()))
        return socket

    def listen(self, after: Position | None = None) -> ScriptedSocket:
        """A client that only listens."""
        socket = ScriptedSocket()
        connection = Connection(socket, self.hub, self.application, LIMITS)
        self._tasks.append(asyncio.create_task(connection.run_following("usr_1", TOPIC, after)))
        return socket

    async def subscribed(self, limits: Limits = LIMITS) -> ScriptedSocket:
        """A client that follows the topic and has read all about it."""
        socket = self.connect(limits)
        socket.say("hello 1", f"subscribe 2 {TOPIC}")
        await turn()
        assert socket.types() == ["welcome", "subscribed"]
        socket.written.clear()
        socket.frames.clear()
        return socket

    async def append(self, *texts: str) -> None:
        """Append deltas of one reply."""
        bodies = [b'{"type":"delta","reply":"r","text":"%s"}' % text.encode() for text in texts]
        await self.log.append(TOPIC, [Record(body) for body in bodies])
        await turn()

    async def ended(self) -> None:
        """Wait until all connections have ended; none may raise for what a client did."""
        async with asyncio.timeout(30):
            await asyncio.gather(*self._tasks)

    async def end(self) -> None:
        """Cancel what still runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def open_lobby() -> AsyncGenerator[Lobby]:
    """Run a hub while the body runs."""
    log = ScriptedLog()
    feed = ScriptedFeed(log)
    hub = Hub(log, feed, check_seconds=1000, changes_admission=MEMBERS.__eq__)
    async with asyncio.TaskGroup() as group:
        tasks = hub.start(group)
        lobby = Lobby(hub, log, feed)
        yield lobby
        await lobby.end()
        for task in tasks:
            task.cancel()


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that takes a moment."""

    async def now() -> bool:
        return true()

    await wait_until(now, within=5)
