"""Mends what a crash left between a commit and the queue: a reply that is owed and that the queue does not have.

The queue itself is asked, not a mark in the store: a mark would be a write for every send, in the way of the worker
that takes the reply up at that moment, and would be wrong once the queue has lost what it had.
"""

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
_AT_ONCE = 1000


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
        """One round; returns how many replies were mended. Errors: `Unavailable` of the store or of the queue."""
        now = self._clock()
        mended = 0
        waiting = await self._reads.not_begun(now - _GRACE, _AT_ONCE)
        if not waiting:
            return 0
        # Read after the store: a job that was finished in between is not taken for lost without need.
        queued = {job["reply"] for job in await self._queue.payloads(LANE)}
        for reply in waiting:
            if reply.id not in queued and await self._writes.claim_sweep(reply.id, now, now - _RETRY):
                await self._mend(reply)
                mended += 1
        return mended

    async def _mend(self, reply: Reply) -> None:
        """Announce the message and its reply again, from the stored facts; to clients that is idempotent."""
        _log.warning("accepted, not in the queue: mending", reply=reply.id)
        created: MessageCreated | None = None
        async for stored in self._store.replay(reply.conversation):
            match stored.event:
                case MessageCreated() as event if event.message == reply.message:
                    created = event
                case ReplyRequested() as event if event.reply == reply.id:
                    await self._announcer.sent(created, event)
                case _:
                    pass
