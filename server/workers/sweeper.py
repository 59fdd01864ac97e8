"""Mends what the queue does not know: a reply whose job a crash kept from it, or that was lost with its data."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from realtime.errors import Unavailable as EngineAway
from realtime.queue.contract import Queue
from server.commands.announce import LANE, Announcer
from server.domain.errors import Unavailable
from server.domain.events import MessageCreated, ReplyRequested
from server.domain.reply import Reply
from server.storage.event_store import EventStore
from server.storage.reads import Reads
from server.storage.writes import Writes

_log = structlog.get_logger(__name__)

_EVERY_SECONDS = 5.0
_GRACE = timedelta(seconds=5)
_RETRY = timedelta(seconds=30)
_AT_ONCE = 100
_COMPARED = 1000


class Sweeper:
    """Any number may run: who marks a reply first mends it."""

    def __init__(
        self,
        store: EventStore,
        reads: Reads,
        writes: Writes,
        queue: Queue,
        announcer: Announcer,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._reads = reads
        self._writes = writes
        self._queue = queue
        self._announcer = announcer
        self._clock = clock

    async def run(self) -> None:
        """Sweep every few seconds until cancelled."""
        while True:
            try:
                await self.sweep()
            except (Unavailable, EngineAway) as error:
                _log.warning("cannot sweep now", error=str(error))
            await asyncio.sleep(_EVERY_SECONDS)

    async def sweep(self) -> int:
        """One round; returns how many replies were mended."""
        now = self._clock()
        mended = 0
        never = await self._reads.not_queued(now - _GRACE, _AT_ONCE)
        for reply in never + await self._lost(now - _GRACE):
            if await self._writes.claim_sweep(reply.id, now, now - _RETRY):
                await self._mend(reply, now)
                mended += 1
        return mended

    async def _lost(self, before: datetime) -> list[Reply]:
        """Those that wait for a worker, and whose job the queue does not have any more."""
        waiting = await self._reads.queued(before, _COMPARED)
        if not waiting:
            return []
        # Read after the store: a job that has been finished since is not taken for lost without need.
        held = {payload["reply"] for payload in await self._queue.payloads(LANE)}
        return [reply for reply in waiting if reply.id not in held]

    async def _mend(self, reply: Reply, now: datetime) -> None:
        """Announce the message and its reply again, from the stored facts; to clients that is idempotent."""
        _log.warning("accepted, not in the queue: mending", reply=reply.id)
        created: MessageCreated | None = None
        async for stored in self._store.replay(reply.conversation):
            match stored.event:
                case MessageCreated() as event if event.message == reply.message:
                    created = event
                case ReplyRequested() as event if event.reply == reply.id:
                    await self._announcer.sent(created, event, now)
                case _:
                    pass
