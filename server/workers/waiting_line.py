"""Tells those who wait when their place in the queue changes: `reply.queued` again, with the place that it has now."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from realtime.errors import Unavailable
from realtime.leases.contract import Leases
from realtime.log.contract import Log
from realtime.queue.contract import Job, Queue
from server.commands.announce import queued

_log = structlog.get_logger(__name__)

_EVERY_SECONDS = 1.0
_LEASE = "waiting-line"
_LEASE_SECONDS = 5.0
_MOST = 200
"""In each lane, from the front; who is further back waits for so long that the number does not matter."""


class WaitingLine:
    """Any number may run: one of them tells, once a second at the most, and only what has changed."""

    def __init__(
        self, queue: Queue, log: Log, leases: Leases, process: str, lanes: Callable[[], Sequence[str]]
    ) -> None:
        self._queue = queue
        self._log = log
        self._leases = leases
        self._process = process
        self._lanes = lanes
        self._told: dict[str, int] = {}

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            try:
                if await self._leases.hold(_LEASE, self._process, _LEASE_SECONDS):
                    await self.tell()
            except Unavailable as error:
                _log.warning("cannot tell places now", error=str(error))
            await asyncio.sleep(_EVERY_SECONDS)

    async def tell(self) -> int:
        """One round; returns how many were told. Errors: `Unavailable`."""
        told: dict[str, int] = {}
        news: list[tuple[Job, int]] = []
        for lane in self._lanes():
            for place, job in enumerate(await self._queue.waiting(lane, _MOST), 1):
                told[job.id] = place
                if self._told.get(job.id, int(job.payload.get("place", 0))) != place:
                    news.append((job, place))
        self._told = told
        if news:
            batches = [(job.payload["conversation"], [queued(job.payload, place)]) for job, place in news]
            await self._log.append_many(batches)
        return len(news)
