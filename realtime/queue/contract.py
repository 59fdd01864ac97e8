"""The port of the job queue.

At least once: a job that was claimed and neither finished nor renewed within the lease is given to another worker.
What makes "at least once" safe is not here but in what a job does: the fence of the log and of the store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job. `receipt` is the queue's own name for it; `deliveries` is more than 1 when it was taken over."""

    receipt: str
    lane: str
    payload: dict[str, str]
    deliveries: int = 1


class Queue(Protocol):
    """Jobs in lanes. Each method raises `Unavailable` when the engine does not answer in time."""

    async def enqueue(self, lane: str, payload: dict[str, str]) -> int:
        """Append a job; returns its place among those that wait, from 1. Errors: `Overloaded` at the lane's bound."""
        ...

    async def claim(self, consumer: str, lanes: Sequence[str], count: int, wait_seconds: float) -> list[Job]:
        """Up to `count` jobs: first what a dead worker left behind, then new ones.

        Where there is none, waits for one, `wait_seconds` at the most; an engine may come back with none earlier.
        """
        ...

    async def renew(self, consumer: str, jobs: Sequence[Job]) -> None:
        """Keep the leases of jobs that are still worked on."""
        ...

    async def finish(self, job: Job) -> None:
        """The job is done and must not come again."""
        ...

    async def payloads(self, lane: str) -> list[dict[str, str]]:
        """What the jobs of a lane say, those that wait and those that are worked on: to find out what it has lost."""
        ...

    async def depth(self, lane: str) -> tuple[int, int]:
        """How many jobs of a lane wait, and how many are worked on."""
        ...
