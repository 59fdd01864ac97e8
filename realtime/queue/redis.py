"""The queue on Redis Streams: for each lane a stream with one consumer group, and what waits before it.

A lease is the idle time of a pending entry: renewing claims the entry again for the same consumer, which sets its
idle time to zero; claiming first takes over what has been idle for longer than a lease. The keys of a lane are
permanent: accepted work has no time to live. What an empty engine has lost, the store knows.
"""

from collections.abc import Collection, Sequence
from typing import Any, cast

from redis.exceptions import ResponseError

from realtime.errors import Overloaded
from realtime.queue.contract import Job, Listed
from realtime.queue.lane import (
    AMEND,
    CLAIM,
    ENQUEUE,
    GROUP,
    PLACE,
    RENEW,
    SETTLE,
    WAITING,
    Holding,
    claimed,
    entered,
    keys,
    listed,
    waiting,
    written,
)
from realtime.redis import ANSWER_SECONDS, Client, Command, Script, command, run, translated_errors

_LONGEST_WAIT_SECONDS = ANSWER_SECONDS / 2
_MOST_DEAD = 1000
_SERVED_SECONDS = 60
_MOST_LISTED = 100_000


class RedisQueue:
    """`realtime.queue.contract.Queue`. `lease_seconds`: how long a silent worker keeps its jobs."""

    def __init__(self, client: Client, lease_seconds: float = 5.0, max_depth: int = 10_000) -> None:
        self._engine = client
        self._client: Any = client  # redis-py leaves many types open
        self._lease_ms = int(lease_seconds * 1000)
        self._max_depth = max_depth
        self._born: dict[str, str] = {}

    async def place(self, lane: str, user: str) -> int:
        """See the port."""
        place = await self._run(PLACE, lane, user, self._max_depth)
        if place < 0:
            raise Overloaded(f"{self._max_depth} jobs wait already")
        return place

    async def enqueue(self, lane: str, job: str, user: str, payload: dict[str, str]) -> bool:
        """See the port."""
        return bool(await self._run(ENQUEUE, lane, job, user, written(payload)))

    def giving(self, lane: str, job: str, user: str, payload: dict[str, str]) -> Command:
        """`enqueue` as a command, for who sends another before it."""
        return command(ENQUEUE, (keys(lane), (job, user, written(payload))))

    async def claim(self, consumer: str, lane: str, count: int, wait_seconds: float) -> list[Job]:
        """See the port."""
        answer = await self._run(CLAIM, lane, consumer, count, self._lease_ms)
        jobs = claimed(lane, answer)
        self._born[lane] = answer[0].decode() if answer[0] else ""
        block = round(min(wait_seconds, _LONGEST_WAIT_SECONDS) * 1000)
        if jobs or not block:  # to the engine, 0 means for ever
            return jobs
        return await self._wait_at_the_door(consumer, lane, count, block)

    async def renew(self, consumer: str, jobs: Sequence[Job]) -> list[Job]:
        """See the port."""
        lost: list[Job] = []
        for lane in {job.lane for job in jobs}:
            mine = {job.id: job for job in jobs if job.lane == lane}
            told: list[Any] = []
            for job in mine.values():
                told += (job.id, job.user, written(job.payload), job.deliveries, job.born)
            answer = await self._run(RENEW, lane, consumer, *told)
            lost += [mine[name.decode()] for name in answer]
        return lost

    async def note(self, consumer: str, job: Job, note: str) -> bool:
        """See the port."""
        return await self._settle(consumer, job, "note", note)

    async def finish(self, consumer: str, job: Job) -> bool:
        """See the port."""
        return await self._settle(consumer, job, "finish")

    async def retry(
        self, consumer: str, job: Job, delay_seconds: float, reason: str, *, counts: bool = True
    ) -> bool:
        """See the port."""
        return await self._settle(consumer, job, "retry", reason, round(delay_seconds * 1000), int(counts))

    async def bury(self, consumer: str, job: Job, reason: str) -> bool:
        """See the port."""
        return await self._settle(consumer, job, "bury", reason, 0, 1, written(job.payload))

    async def missing(self, lane: str, jobs: Sequence[str]) -> set[str]:
        """See the port."""
        if not jobs:
            return set()
        async with translated_errors():
            found = await self._client.hmget(keys(lane)[1], list(jobs))
        return {job for job, there in zip(jobs, found, strict=True) if there is None}

    async def waiting(self, lane: str, limit: int) -> list[Job]:
        """See the port."""
        return waiting(lane, await self._run(WAITING, lane, limit))

    async def depth(self, lane: str) -> tuple[int, int]:
        """See the port."""
        stream, jobs, _, _, _, dead, _ = keys(lane)
        async with translated_errors(), self._client.pipeline(transaction=False) as pipe:
            pipe.hlen(jobs)
            pipe.zcard(dead)
            pipe.xpending(stream, GROUP)
            try:
                length, buried, pending = await pipe.execute()
            except ResponseError:  # the lane does not exist yet
                return (0, 0)
        working = int(pending["pending"])
        return (max(length - buried - working, 0), working)

    async def serve(self, consumer: str, lanes: Collection[str]) -> None:
        """See the port."""
        async with translated_errors(), self._client.pipeline(transaction=False) as pipe:
            for lane in lanes:
                pipe.set(f"{keys(lane)[0]}:served", consumer, ex=_SERVED_SECONDS)
            await pipe.execute()

    async def is_served(self, lane: str) -> bool:
        """See the port."""
        async with translated_errors():
            return bool(await self._client.exists(f"{keys(lane)[0]}:served"))

    async def lanes(self) -> list[str]:
        """See the port."""
        async with translated_errors():
            found = [key.decode() async for key in self._client.scan_iter(match="queue:{*}:jobs", count=1000)]
        return sorted(key.removeprefix("queue:{").removesuffix("}:jobs") for key in found)

    async def jobs(self, lane: str) -> list[Listed]:
        """See the port."""
        stream, jobs, *_ = keys(lane)
        async with translated_errors():
            rows: dict[bytes, bytes] = await self._client.hgetall(jobs)
            try:
                pending: list[dict[str, Any]] = await self._client.xpending_range(
                    stream, GROUP, "-", "+", _MOST_LISTED
                )
            except ResponseError:  # the lane does not exist yet
                pending = []
        held = {
            row["message_id"].decode(): Holding(row["consumer"].decode(), row["times_delivered"])
            for row in pending
        }
        return sorted((listed(lane, job.decode(), raw, held) for job, raw in rows.items()), key=_by_age)

    async def drop(self, lane: str, job: str) -> bool:
        """See the port."""
        return bool(await self._run(AMEND, lane, job, "drop"))

    async def revive(self, lane: str, job: str) -> bool:
        """See the port."""
        return bool(await self._run(AMEND, lane, job, "revive"))

    async def _wait_at_the_door(self, consumer: str, lane: str, count: int, block: int) -> list[Job]:
        stream = keys(lane)[0]
        async with translated_errors():
            try:
                answer = cast(
                    "list[tuple[bytes, list[Any]]] | dict[bytes, list[Any]]",
                    await self._client.xreadgroup(GROUP, consumer, {stream: ">"}, count=count, block=block),
                )
            except ResponseError as error:
                if not str(error).startswith(("NOGROUP", "UNBLOCKED")):
                    raise
                return []  # the engine was emptied
        rows = answer.items() if isinstance(answer, dict) else answer
        born = self._born[lane]
        return [entered(lane, fields, born) for _, batch in rows or () for _, fields in batch]

    async def _settle(
        self,
        consumer: str,
        job: Job,
        how: str,
        reason: str = "",
        delay_ms: int = 0,
        counts: int = 0,
        payload: bytes = b"",
    ) -> bool:
        told = (consumer, job.id, how, reason, delay_ms, counts, _MOST_DEAD, payload)
        return bool(await self._run(SETTLE, job.lane, *told))

    async def _run(self, script: Script, lane: str, *arguments: str | int | bytes) -> Any:
        async with translated_errors():
            return (await run(self._engine, script, [(keys(lane), arguments)]))[0]


def _by_age(job: Listed) -> float:
    return job.since
