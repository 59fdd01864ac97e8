"""Attendance in memory, which obeys the port (the contract suite holds it to it), and is away on command."""

import asyncio
import json
from collections.abc import Callable, Sequence, Set

from realtime.attendance.contract import Everywhere
from realtime.errors import Unavailable
from realtime.log.contract import Notice


class ScriptedAttendance:
    """`realtime.attendance.contract.Attendance`."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[str, frozenset[str]]] = {}
        self._alive: set[str] = set()
        self.listeners: list[Callable[[Notice], None]] = []
        """Who follows every topic."""
        self.away = False
        """Every call raises `Unavailable`."""
        self.asked: list[list[str]] = []
        """The topics of each call of `here`."""
        self.answering = asyncio.Event()
        """While it is clear, `here` takes place and its answer does not arrive."""
        self.answering.set()

    async def here(self, instance: str, rooms: Sequence[tuple[str, Set[str]]]) -> list[Everywhere]:
        """See the port."""
        self._reach()
        self.asked.append([topic for topic, _ in rooms])
        found: list[Everywhere] = []
        for topic, users in rooms:
            room = self._rooms.setdefault(topic, {})
            room.pop(instance, None)
            if users:
                room[instance] = frozenset(users)
            self._publish(topic, {"instance": instance, "users": sorted(users)})
            found.append(dict(room))
        await self.answering.wait()
        return found

    async def alive(self, instance: str) -> Set[str]:
        """See the port."""
        self._reach()
        before = set(self._alive)
        self._alive.add(instance)
        return before

    async def gone(self, instance: str) -> None:
        """See the port."""
        self._reach()
        self._alive.discard(instance)

    async def tell(self, topic: str, notice: bytes) -> None:
        """See the port."""
        self._reach()
        self._publish(topic, json.loads(notice))

    def crash(self, instance: str) -> None:
        """An instance dies: it gives no sign of life any more."""
        self._alive.discard(instance)

    def _publish(self, topic: str, said: object) -> None:
        notice = Notice(topic, json.dumps(said).encode())
        for listener in self.listeners:
            listener(notice)

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("scripted")
