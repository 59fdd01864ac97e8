"""The three levels: this process, Redis, and whatever loads.

    get ── kept here, and the feed hears? ── a load of it under way? wait for that ── Redis ── load
                                                                        └─ kept here ─┴─ kept in both

A load is nobody's own: who waits for it may go, and it ends for the others. One that was forgotten meanwhile still
answers those who asked before, is kept nowhere, and whoever asks from then on begins another.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import structlog

from realtime.errors import Unavailable
from realtime.redis import Client
from server.cache.contract import Kind, Value
from server.cache.memory import Memory
from server.cache.redis import ANSWER_SECONDS, Hearing, Shared

_log = structlog.get_logger(__name__)

MOST = 4_096
_LARGEST = 512 * 1024
_BEHIND = 64
_UNSAID = 10_000
_LOAD_SECONDS = 10.0
_SAY_AGAIN_SECONDS = 1.0
_NOTHING = object()
_ABSENT, _PRESENT = b"-", b"+"


@dataclass(slots=True)
class _Flight:
    """A load that is under way."""

    forgotten: bool = False
    task: asyncio.Task[Any] | None = field(default=None)


class Levels:
    """`server.cache.contract.Cache`. `counts` says by kind and level from where answers came."""

    def __init__(
        self,
        commands: Client,
        subscriptions: Client,
        most: int = MOST,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.memory = Memory(most)
        self._shared = Shared(commands, answer_seconds)
        self._hearing = Hearing(self._shared, subscriptions, self._drop, self._drop_all)
        self._flights: dict[str, _Flight] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._behind = 0
        self._unsaid: dict[str, None] = {}

    @property
    def hears(self) -> bool:
        """Whether what is kept here may be believed."""
        return self._hearing.hears

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Levels"]:
        """Hear and speak while the body runs."""
        async with asyncio.TaskGroup() as group:
            work = (self._hearing.listen, self._hearing.beat, self._say_again)
            tasks = [group.create_task(one()) for one in work]
            try:
                yield self
            finally:
                for task in (*tasks, *self._tasks):
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def get(
        self, kind: Kind[Value], name: str, load: Callable[[], Awaitable[Value | None]]
    ) -> Value | None:
        """See the port."""
        key = _key(kind, name)
        if self.hears and (kept := await self.memory.get(key)) is not None:
            self.counts[kind.name, "memory"] += 1
            return None if kept is _NOTHING else cast("Value", kept)
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight()
            flight.task = self._start(self._fly(flight, key, kind, load))
        else:
            self.counts[kind.name, "shared_load"] += 1
        assert flight.task
        return cast("Value | None", await asyncio.shield(flight.task))

    async def forget(self, kind: Kind[Value], name: str) -> None:
        """See the port."""
        key = _key(kind, name)
        await self._drop(key)
        try:
            await self._shared.forget(key)
        except Unavailable:
            if len(self._unsaid) < _UNSAID:
                self._unsaid[key] = (
                    None  # said again until it is heard; what Redis has of it is not read here
                )

    async def find(self, kind: Kind[Value], name: str) -> Value | None:
        """See the port."""
        key = _key(kind, name)
        if (kept := await self.memory.get(key)) is not None:
            self.counts[kind.name, "memory"] += 1
            return cast("Value", kept)
        found = await self._shared.read(key)
        value = _decoded(kind, found.value) if found is not None and found.value is not None else None
        if value is None:
            self.counts[kind.name, "database"] += 1
            return None
        self.counts[kind.name, "redis"] += 1
        await self.memory.set(key, value, kind.seconds)
        return value

    async def keep(self, kind: Kind[Value], name: str, value: Value) -> None:
        """See the port."""
        key = _key(kind, name)
        await self.memory.set(key, value, kind.seconds)
        if self._behind < _BEHIND and not self._shared.away:
            self._behind += 1
            self._start(self._put(key, kind, value))

    async def _fly(
        self, flight: _Flight, key: str, kind: Kind[Value], load: Callable[[], Awaitable[Value | None]]
    ) -> Value | None:
        try:
            async with asyncio.timeout(_LOAD_SECONDS):
                found = None if key in self._unsaid else await self._shared.read(key)
                there = found.value if found is not None and found.value is not None else b""
                value = _decoded(kind, there[1:]) if there[:1] == _PRESENT else None
                if value is not None or there == _ABSENT:
                    self.counts[kind.name, "redis"] += 1
                else:
                    self.counts[kind.name, "database"] += 1
                    value = await load()
                    written = _ABSENT if value is None else _PRESENT + kind.encode(value)
                    if found is not None and len(written) <= _LARGEST:
                        await self._shared.store(key, found, written, _seconds(kind, value))
                if not flight.forgotten and self.hears:
                    await self.memory.set(key, _NOTHING if value is None else value, _seconds(kind, value))
                return value
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]

    async def _put(self, key: str, kind: Kind[Value], value: Value) -> None:
        try:
            written = kind.encode(value)
            if len(written) <= _LARGEST:
                await self._shared.put(key, written, kind.seconds)
        finally:
            self._behind -= 1

    async def _drop(self, key: str) -> None:
        if (flight := self._flights.pop(key, None)) is not None:
            flight.forgotten = True
        await self.memory.delete(key)

    async def _drop_all(self) -> None:
        for flight in self._flights.values():
            flight.forgotten = True
        self._flights.clear()
        await self.memory.empty()

    async def _say_again(self) -> None:
        """What could not be told to the others because Redis was away."""
        while True:
            await asyncio.sleep(_SAY_AGAIN_SECONDS)
            for key in list(self._unsaid):
                try:
                    await self._shared.forget(key)
                except Unavailable:
                    break
                self._unsaid.pop(key, None)
                await self._drop(key)

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has it; where nobody does any more, it is nobody's


def _key(kind: Kind[Any], name: str) -> str:
    return f"{kind.name}:{name}"


def _decoded(kind: Kind[Value], written: bytes) -> Value | None:
    """None for what another version of the house wrote and this one cannot read: as if it were not there."""
    try:
        return kind.decode(written)
    except (ValueError, msgspec.MsgspecError) as error:
        _log.warning("not understood of what is kept", kind=kind.name, error=type(error).__name__)
        return None


def _seconds(kind: Kind[Value], value: Value | None) -> float:
    return kind.absent_seconds if value is None else kind.seconds
