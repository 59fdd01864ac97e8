"""The worker's loop: claim as many jobs as there is room for, keep their leases, stop what is to be stopped, drain."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from realtime.errors import StaleWriter
from realtime.errors import Unavailable as EngineAway
from realtime.queue.contract import Job, Queue
from realtime.signals.contract import Signals
from server.commands.announce import LANE
from server.commands.cancel_reply import SIGNAL
from server.domain.errors import StaleAttempt, Unavailable
from server.storage.reads import Reads

_log = structlog.get_logger(__name__)

_CLAIM_SECONDS = 1.0
_PAUSE_SECONDS = 0.5

Work = Callable[[Job, asyncio.Event], Awaitable[None]]


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
        concurrency: int,
        lease_seconds: float = 5.0,
        drain_seconds: float = 25.0,
    ) -> None:
        self._queue = queue
        self._signals = signals
        self._reads = reads
        self._work = work
        self._worker = worker
        self._concurrency = concurrency
        self._lease_seconds = lease_seconds
        self._drain_seconds = drain_seconds
        self._active: dict[asyncio.Task[None], _Active] = {}
        self._room = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Claim and work."""
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._keep_leases()), group.create_task(self._hear_cancels())]
            await self._claim_until(stopping)
            await self._drain()
            for task in beside:
                task.cancel()

    async def _claim_until(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            free = self._concurrency - len(self._active)
            if free <= 0:
                self._room.clear()
                try:
                    async with asyncio.timeout(_CLAIM_SECONDS):
                        await self._room.wait()
                except TimeoutError:
                    pass  # look at `stopping` now and then
                continue
            try:
                jobs = await self._queue.claim(self._worker, [LANE], free, _CLAIM_SECONDS)
            except EngineAway as error:
                _log.warning("the queue is away", error=str(error), retry_in=_PAUSE_SECONDS)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            for job in jobs:
                self._begin(job)

    def _begin(self, job: Job) -> None:
        if any(active.job.receipt == job.receipt for active in self._active.values()):
            return  # our own lease ran out while the queue was away; we still work on it
        active = _Active(job)
        task = asyncio.create_task(self._do(active))
        self._active[task] = active
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        del self._active[task]
        self._room.set()

    async def _do(self, active: _Active) -> None:
        try:
            await self._work(active.job, active.stop)
            await self._queue.finish(active.job)
        except (StaleAttempt, StaleWriter):
            # Not finished: the delivery is the other worker's lease now.
            _log.info("in other hands", job=active.job.payload)
        except (Unavailable, EngineAway) as error:
            # Its lease runs out, and whoever claims it then finds in the store how far it came.
            _log.warning("left to another time", job=active.job.payload, error=str(error))
        except Exception:  # noqa: BLE001 - the worker's boundary: one job must not take the others with it
            _log.exception("a bug ended a job", job=active.job.payload)

    async def _drain(self) -> None:
        if not self._active:
            return
        _log.info("draining", replies=len(self._active))
        _, late = await asyncio.wait(self._active, timeout=self._drain_seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=1.0)

    async def _keep_leases(self) -> None:
        """Renew while we live; and see the marks of cancels whose signal was lost."""
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            active = list(self._active.values())
            if not active:
                continue
            try:
                await self._queue.renew(self._worker, [one.job for one in active])
                by_reply = {one.job.payload["reply"]: one for one in active}
                for reply in await self._reads.cancelled_among(list(by_reply)):
                    by_reply[reply].stop.set()
            except (Unavailable, EngineAway) as error:
                _log.warning("cannot renew leases", error=str(error))

    async def _hear_cancels(self) -> None:
        async for reply in self._signals.listen(SIGNAL):
            for active in self._active.values():
                if active.job.payload["reply"] == reply:
                    active.stop.set()
