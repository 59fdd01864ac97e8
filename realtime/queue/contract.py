"""The port of the job queue.

Lanes do not know one another: what is slow in one holds up no other. Inside a lane users take turns, one job each, so
that somebody's five hundred jobs do not keep others waiting; a user's own come in the order in which they were given.

At least once: a job that was claimed and neither settled nor renewed within the lease is given to another worker, and
the one that had it cannot settle it any more. What makes "at least once" safe is not here but in what a job does: the
fence of the log and of the store.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["waiting", "working", "later", "dead"]


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job. `id` is its giver's name for it, one of a kind in its lane.

    `deliveries` counts this one; it is more than 1 when the job was taken over, or is tried again. `note` is what its
    holder has left for whoever comes after. `born` is the queue's own: it tells a job that is over from one that the
    engine has lost.
    """

    id: str
    lane: str
    user: str
    payload: dict[str, str]
    deliveries: int = 1
    note: str = ""
    born: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """A job as an operator sees it."""

    id: str
    lane: str
    user: str
    payload: dict[str, str]
    state: State
    deliveries: int
    consumer: str | None
    """Who works on it."""
    since: float
    """When it was given (of a dead one: when it was buried), in seconds since 1970."""
    reason: str | None
    """Why it failed last."""


class Queue(Protocol):
    """Jobs in lanes. Each method raises `Unavailable` when the engine does not answer in time."""

    async def place(self, lane: str, user: str) -> int:
        """The place that a user's next job would have among those that wait, from 1.

        Errors: `Overloaded` at the lane's bound. It is asked before a job is promised: `enqueue` refuses nobody.
        """
        ...

    async def enqueue(self, lane: str, job: str, user: str, payload: dict[str, str]) -> bool:
        """Give a job to a lane; False when it is there already, in whatever state."""
        ...

    async def claim(self, consumer: str, lane: str, count: int, wait_seconds: float) -> list[Job]:
        """Up to `count` jobs: what a dead worker left behind, what is to be tried again, and new ones in turn.

        Where there is none, waits for one, `wait_seconds` at the most; an engine may come back with none earlier.
        """
        ...

    async def renew(self, consumer: str, jobs: Sequence[Job]) -> list[Job]:
        """Keep the leases of jobs that are still worked on; returns those that are not ours (any more).

        A job that the engine has lost with its data is taken up again, in the same hands.
        """
        ...

    async def note(self, consumer: str, job: Job, note: str) -> bool:
        """Leave word with the job, for whoever takes it over; False when it is in other hands."""
        ...

    async def finish(self, consumer: str, job: Job) -> bool:
        """The job is done and must not come again; False when it is in other hands."""
        ...

    async def retry(
        self, consumer: str, job: Job, delay_seconds: float, reason: str, *, counts: bool = True
    ) -> bool:
        """Give it back, to be tried again after a delay; False when it is in other hands.

        `counts`: whether this delivery is one of those that a job has.
        """
        ...

    async def bury(self, consumer: str, job: Job, reason: str) -> bool:
        """Give it up: it stays to be looked at, and comes again only if somebody revives it.

        What stays of its payload is what `job` has; of its note, nothing.
        """
        ...

    async def missing(self, lane: str, jobs: Sequence[str]) -> set[str]:
        """Which of these a lane does not have, in whatever state: it lost them, or never got them."""
        ...

    async def waiting(self, lane: str, limit: int) -> list[Job]:
        """Those that wait, in the order in which they would be claimed now. Nothing is claimed."""
        ...

    async def depth(self, lane: str) -> tuple[int, int]:
        """How many jobs of a lane wait, and how many are worked on."""
        ...

    async def serve(self, consumer: str, lanes: Collection[str]) -> None:
        """Say that these lanes have a worker, for a minute or so."""
        ...

    async def is_served(self, lane: str) -> bool:
        """Whether any worker has said so lately."""
        ...

    async def lanes(self) -> list[str]:
        """The lanes that have jobs, or have had some."""
        ...

    async def jobs(self, lane: str) -> list[Listed]:
        """All jobs of a lane, for people: not for a hot path."""
        ...

    async def drop(self, lane: str, job: str) -> bool:
        """Forget a job; False where there is none."""
        ...

    async def revive(self, lane: str, job: str) -> bool:
        """Give a job that is dead, or to be tried later, its turn now; False where there is none."""
        ...
