"""Mends what a crash left between the steps of replies: what is owed by the store, and what nobody works on.

Three things are looked for, in the replies that have not ended: those that the queue does not have (a crash between the
commit and the queue, or a queue that lost its data), those past their deadline (a worker that is stuck, or was stopped
for long), and those whose provider no worker has.

The queue itself is asked, not a mark in the store: a mark would be a write for every send, in the way of the worker
that takes the reply up at that moment, and would be wrong once the queue has lost what it had.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from realtime.errors import Unavailable as EngineAway
from realtime.leases.contract import Leases
from realtime.queue.contract import Queue
from server.commands.announce import Announcer
from server.commands.line import Line
from server.domain.errors import Unavailable
from server.domain.events import MessageCreated, MessageRetracted, ReplyRequested
from server.domain.reply import Reply
from server.sagas.reply.ends import Ends
from server.sagas.reply.steps import DEADLINE, overdue
from server.storage.allowances import Allowances
from server.storage.event_store import EventStore
from server.storage.reads import Reads

_log = structlog.get_logger(__name__)

_EVERY_SECONDS = 2.0
_LEASE = "sweeper"
_LEASE_SECONDS = 10.0
_GRACE = timedelta(seconds=5)
"""A reply younger than this may still be on its way to the queue."""
_HANDS = timedelta(seconds=5)
"""A worker takes up again what the queue has lost, within a part of its lease."""
_SAVING = timedelta(seconds=60)
"""So long after its deadline a worker may still be saving what it has."""
_UNSERVED = timedelta(seconds=10)
_BATCH = 500


class Sweeper:
    """Any number may run: one of them sweeps, for as long as it holds the lease."""

    def __init__(
        self,
        store: EventStore,
        reads: Reads,
        queue: Queue,
        leases: Leases,
        allowances: Allowances,
        announcer: Announcer,
        ends: Ends,
        line: Line,
        process: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._reads = reads
        self._queue = queue
        self._leases = leases
        self._allowances = allowances
        self._recounted = False
        self._announcer = announcer
        self._ends = ends
        self._line = line
        self._process = process
        self._clock = clock
        self._missing: dict[str, datetime] = {}
        self._unserved: dict[str, datetime] = {}
        self._due: set[str] = set()
        self._due_before: set[str] = set()
        self.counts = Counter[str]()
        """What was mended."""

    async def run(self) -> None:
        """Sweep every few seconds until cancelled."""
        while True:
            try:
                if await self._leases.hold(_LEASE, self._process, _LEASE_SECONDS):
                    await self.sweep()
                    await self._mend_accounts()
                else:
                    self._missing.clear()
                    self._unserved.clear()
            except (Unavailable, EngineAway) as error:
                _log.warning("cannot sweep now", error=str(error))
            await asyncio.sleep(_EVERY_SECONDS)

    async def sweep(self) -> int:
        """One round; returns how many replies were mended. Errors: `Unavailable` of the store or of the queue."""
        now = self._clock()
        before = self.counts.total()
        missing: dict[str, datetime] = {}
        unserved: dict[str, datetime] = {}
        after: tuple[datetime, str] | None = None
        while owed := await self._reads.owed(now - _GRACE, after, _BATCH):
            after = (owed[-1].created_at, owed[-1].id)
            by_lane: dict[str, list[Reply]] = {}
            for reply in owed:
                by_lane.setdefault(self._announcer.lane(reply.settings), []).append(reply)
            for lane, replies in by_lane.items():
                if not await self._queue.is_served(lane):
                    unserved[lane] = self._unserved.get(lane, now)
                lost = await self._queue.missing(lane, [reply.id for reply in replies])
                missing |= {reply: self._missing.get(reply, now) for reply in lost}
                abandoned = lane in unserved and unserved[lane] + _UNSERVED <= now
                await self._mend_all(replies, missing, now, unserved=abandoned)
            await self._leases.hold(_LEASE, self._process, _LEASE_SECONDS)
        self._missing, self._unserved = missing, unserved
        self._due_before, self._due = self._due, set()
        return self.counts.total() - before

    async def _mend_accounts(self) -> None:
        """Where a process without limits has accepted or ended replies meanwhile, the accounts do not know of it."""
        if not self._recounted:
            await self._allowances.recount()
            self._recounted = True
        if mended := await self._allowances.mend():
            _log.warning("held for replies that have ended: released", replies=mended)
            self.counts["released"] += mended

    async def _mend_all(
        self, replies: Sequence[Reply], missing: dict[str, datetime], now: datetime, *, unserved: bool
    ) -> None:
        for reply in replies:
            if overdue(reply, now, _SAVING):
                detail = f"It took too long, and was given up while {reply.step}."
                await self._end(reply, DEADLINE, detail)
            elif unserved:
                provider = self._announcer.lane(reply.settings)
                await self._end(reply, "provider_unknown", f"No worker has the provider {provider!r}.")
            elif reply.id in missing and await self._is_due(reply, missing[reply.id], now):
                await self._queue_again(reply)

    async def _is_due(self, reply: Reply, missed: datetime, now: datetime) -> bool:
        """Whether it should be in the queue: one that waits for another of its conversation is not there yet."""
        if reply.attempt:
            return missed + _HANDS <= now
        if not await self._line.is_first(reply.conversation, reply.id):
            return False
        self._due.add(reply.id)
        return reply.id in self._due_before  # whoever ended the one before it may be queueing it now

    async def _end(self, reply: Reply, code: str, detail: str) -> None:
        if await self._ends.fail(reply, code, detail):
            self.counts[code] += 1
        await self._announcer.forget(reply.id, reply.settings)

    async def _queue_again(self, reply: Reply) -> None:
        """Announce the message and its reply again, from the stored facts; to clients that is idempotent."""
        if reply.attempt:
            _log.warning("running, in nobody's hands: mending", reply=reply.id)
        else:
            _log.warning("accepted, not in the queue: mending", reply=reply.id)
        self.counts["queued_again"] += 1
        created: tuple[int, MessageCreated] | None = None
        requested: tuple[int, ReplyRequested] | None = None
        retracted = False
        async for stored in self._store.replay(reply.conversation):
            match stored.event:
                case MessageCreated() as event if event.message == reply.message:
                    created = stored.version, event
                case ReplyRequested() as event if event.reply == reply.id:
                    requested = stored.version, event
                case MessageRetracted() as event if event.message == reply.message:
                    retracted = True
                case _:
                    pass
        if requested is not None:
            await self._announcer.sent(created, requested, retracted=retracted)
