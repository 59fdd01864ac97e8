"""The worker's loop: claim as many jobs as there is room for, keep their leases, stop what is to be stopped, drain.

Each lane is claimed by a loop of its own, so that waiting for one keeps nobody from another. What becomes of a job that
cannot be done is decided here: given back to be tried again, or, after so many times, given up.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from realtime.errors import StaleWriter
from realtime.errors import Unavailable as EngineAway
from realtime.queue.contract import Job, Queue
from realtime.signals.contract import Signals
from server.commands.cancel_reply import SIGNAL
from server.domain.errors import StaleAttempt, Unavailable
from server.sagas.reply.steps import backoff
from server.storage.database import stopped
from server.storage.reads import Reads
from server.workers.passages import without_what_was_said
from server.workers.places import Places

_log = structlog.get_logger(__name__)

_CLAIM_SECONDS = 1.0
_PAUSE_SECONDS = 0.5


class Work(Protocol):
    """What is done with a job."""

    async def run(self, job: Job, stop: asyncio.Event) -> None:
        """Do it. Errors: `Unavailable` of the store or of an engine; `StaleAttempt`, `StaleWriter`: in other hands."""
        ...

    async def give_up(self, job: Job) -> None:
        """It will not be tried again: say so to whom it concerns. Errors: `Unavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    """How a worker works."""

    concurrency: int = 64
    lease_seconds: float = 5.0
    drain_seconds: float = 25.0
    deliveries: int = 5
    """A job is given up that was given to a worker so often without being done."""


@dataclass(slots=True, eq=False)
class _Active:
    job: Job
    stop: asyncio.Event = field(default_factory=asyncio.Event)


class Runner:
    """`run` works until `stopping` is set, and then at most `drain_seconds` longer.

    What is still unfinished then is left to another worker, as after a crash: its lease runs out.
    """

    def __init__(
        self,
        queue: Queue,
        signals: Signals,
        reads: Reads,
        work: Work,
        worker: str,
        lanes: Sequence[str],
        rules: Rules | None = None,
    ) -> None:
        self._queue = queue
        self._signals = signals
        self._reads = reads
        self._work = work
        self._worker = worker
        self._lanes = lanes
        self._rules = rules or Rules()
        self._places = Places(self._rules.concurrency, lanes)
        self._active: dict[asyncio.Task[None], _Active] = {}
        self._room: asyncio.Condition = asyncio.Condition()
        self._tidying = set[asyncio.Task[None]]()
        self.counts = Counter[str]()
        """What became of jobs."""

    @property
    def active(self) -> int:
        """How many jobs are worked on."""
        return len(self._active)

    async def run(self, stopping: asyncio.Event) -> None:
        """Claim and work."""
        async with asyncio.TaskGroup() as group:
            beside = [
                group.create_task(work)
                for work in (self._keep_leases(), self._see_marks(), self._hear_cancels())
            ]
            async with asyncio.TaskGroup() as claiming:
                for lane in self._lanes:
                    claiming.create_task(self._claim_until(stopping, lane))
            await self._drain()
            await stopped(beside)

    async def _claim_until(self, stopping: asyncio.Event, lane: str) -> None:
        while not stopping.is_set():
            count = self._places.to_claim(lane)
            if count <= 0:
                await self._room_or_pause()
                continue
            self._places.take(lane, count)
            jobs: list[Job] = []
            try:
                jobs = await self._queue.claim(self._worker, lane, count, _CLAIM_SECONDS)
            except EngineAway as error:
                _log.warning("the queue is away", lane=lane, error=str(error), retry_in=_PAUSE_SECONDS)
                await asyncio.sleep(_PAUSE_SECONDS)
            finally:
                self._places.give_back(lane, count)
            for job in jobs:
                self._begin(job)

    async def _room_or_pause(self) -> None:
        try:
            async with asyncio.timeout(_CLAIM_SECONDS), self._room:
                await self._room.wait()
        except TimeoutError:
            pass  # look at `stopping` now and then

    def _begin(self, job: Job) -> None:
        if any(active.job.id == job.id for active in self._active.values()):
            return  # our own lease ran out while the queue was away; we still work on it
        active = _Active(job)
        task = asyncio.create_task(self._do(active))
        self._active[task] = active
        self._places.take(job.lane)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._places.give_back(self._active.pop(task).job.lane)
        telling = asyncio.ensure_future(self._tell_room())
        self._tidying.add(telling)
        telling.add_done_callback(self._tidying.discard)

    async def _tell_room(self) -> None:
        async with self._room:
            self._room.notify_all()

    async def _do(self, active: _Active) -> None:
        job = active.job
        if job.deliveries > 1:
            self.counts["taken_over"] += 1
        try:
            if job.deliveries > self._rules.deliveries:
                await self._give_up(job)
                return
            await self._work.run(job, active.stop)
            await self._queue.finish(self._worker, job)
            self.counts["finished"] += 1
        except (StaleAttempt, StaleWriter):
            # Not finished: the delivery is the other worker's lease now.
            self.counts["refused"] += 1
            _log.info("in other hands", reply=job.id)
        except (Unavailable, EngineAway) as error:
            # Whoever claims it then finds in the store how far it came. It is not the job's fault: it does not count.
            _log.warning("left to another time", reply=job.id, error=str(error))
            await self._try_again(job, str(error), counts=False)
        except Exception as error:  # noqa: BLE001 - the worker's boundary: one job must not take the others with it
            _log.exception("a bug ended a job", reply=job.id)
            await self._try_again(job, repr(error), counts=True)

    async def _give_up(self, job: Job) -> None:
        reason = f"given to a worker {job.deliveries - 1} times, and never done"
        _log.error("giving a job up", reply=job.id, reason=reason)
        await self._work.give_up(job)
        await self._queue.bury(self._worker, replace(job, payload=without_what_was_said(job.payload)), reason)
        self.counts["given_up"] += 1

    async def _try_again(self, job: Job, reason: str, *, counts: bool) -> None:
        """Without the queue nothing needs to be done: the lease runs out."""
        self.counts["tried_again"] += 1
        delay = backoff(job.deliveries, random.random())  # noqa: S311 - jitter
        try:
            await self._queue.retry(self._worker, job, delay, reason[:1000], counts=counts)
        except EngineAway as error:
            _log.warning("left to its lease", reply=job.id, error=str(error))

    async def _drain(self) -> None:
        if not self._active:
            return
        _log.info("draining", replies=len(self._active))
        _, late = await asyncio.wait(self._active, timeout=self._rules.drain_seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)

    async def _keep_leases(self) -> None:
        """Renew while we live, whatever the store does meanwhile; stop what is not ours any more."""
        while True:
            try:
                await self._queue.serve(self._worker, self._lanes)
                await self._renew()
            except EngineAway as error:
                _log.warning("cannot renew leases", error=str(error))
            await asyncio.sleep(self._rules.lease_seconds / 3)

    async def _renew(self) -> None:
        by_id = {active.job.id: (task, active) for task, active in self._active.items()}
        if not by_id:
            return
        for job in await self._queue.renew(self._worker, [active.job for _, active in by_id.values()]):
            task, _ = by_id[job.id]
            if not task.done():
                self.counts["lost"] += 1
                _log.warning("lost a lease: in other hands", reply=job.id)
                task.cancel()

    async def _see_marks(self) -> None:
        """The marks of cancels whose signal was lost."""
        while True:
            await asyncio.sleep(self._rules.lease_seconds / 3)
            active = {active.job.id: active for active in self._active.values()}
            try:
                for reply in await self._reads.cancelled_among(list(active)) if active else ():
                    active[reply].stop.set()
            except Unavailable as error:
                _log.warning("cannot see who wants to stop", error=str(error))

    async def _hear_cancels(self) -> None:
        async for reply in self._signals.listen(SIGNAL):
            for active in self._active.values():
                if active.job.id == reply:
                    active.stop.set()
