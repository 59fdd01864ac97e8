"""The port of handing over: what was decided is told in a log, and the work that follows from it given to a queue.

Who follows the log hears of it before a worker can have the job.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from realtime.errors import Unavailable
from realtime.log.contract import Log, Position, Record
from realtime.queue.contract import Queue


@dataclass(frozen=True, slots=True)
class Given:
    """A job, as `Queue.enqueue` takes it."""

    lane: str
    job: str
    user: str
    payload: dict[str, str]


class Handover(Protocol):
    """Call it."""

    async def __call__(
        self, topic: str, records: Sequence[Record], job: Given
    ) -> tuple[list[Position | Exception], bool]:
        """Append, then give.

        Returns what `Log.append` does, and whether the queue has the job; False where it is away. Errors: `Unavailable`
        where the log is.
        """
        ...


class OneByOne:
    """`Handover` on any log and any queue."""

    def __init__(self, log: Log, queue: Queue) -> None:
        self._log = log
        self._queue = queue

    async def __call__(
        self, topic: str, records: Sequence[Record], job: Given
    ) -> tuple[list[Position | Exception], bool]:
        """See the port."""
        outcomes = await self._log.append(topic, records)
        try:
            await self._queue.enqueue(job.lane, job.job, job.user, job.payload)
        except Unavailable:
            return outcomes, False
        return outcomes, True
