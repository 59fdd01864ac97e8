"""The queue on Redis Streams: one stream per lane, one consumer group.

A lease is the idle time of a pending entry: renewing claims the entry again for the same consumer, which sets its
idle time to zero; claiming first takes over what has been idle for longer than a lease. A finished job is deleted, so
that a lane's length is what waits plus what is worked on. Lanes are permanent keys: accepted work has no time to live.
"""

from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from realtime.errors import Overloaded
from realtime.queue.contract import Job
from realtime.redis import ANSWER_SECONDS, translated_errors

_ENQUEUE = (Path(__file__).parent / "enqueue.lua").read_text()
_GROUP = "workers"
_LONGEST_WAIT_SECONDS = ANSWER_SECONDS / 2
_BEGINNING = b"0-0"
_PAGE = 1000


def _key(lane: str) -> str:
    return f"queue:{{{lane}}}"


class RedisQueue:
    """`realtime.queue.contract.Queue`. `lease_seconds`: how long a silent worker keeps its jobs."""

    def __init__(self, client: Redis, lease_seconds: float = 5.0, max_depth: int = 10_000) -> None:
        self._client = client
        self._lease_ms = int(lease_seconds * 1000)
        self._max_depth = max_depth
        self._enqueue = client.register_script(_ENQUEUE)

    async def enqueue(self, lane: str, payload: dict[str, str]) -> int:
        """See the port."""
        fields = [item for pair in payload.items() for item in pair]
        async with translated_errors():
            call = cast(
                "Awaitable[int]", self._enqueue(keys=[_key(lane)], args=[_GROUP, self._max_depth, *fields])
            )
            place = await call
        if place < 0:
            raise Overloaded(f"{self._max_depth} jobs wait already")
        return max(place, 1)

    async def claim(self, consumer: str, lanes: Sequence[str], count: int, wait_seconds: float) -> list[Job]:
        """See the port."""
        async with translated_errors():
            for lane in lanes:
                left_behind = await self._take_over(consumer, lane, count)
                if left_behind:
                    return left_behind
            return await self._take_new(consumer, lanes, count, wait_seconds)

    async def renew(self, consumer: str, jobs: Sequence[Job]) -> None:
        """See the port."""
        if not jobs:
            return
        async with translated_errors(), self._client.pipeline(transaction=False) as pipe:
            for job in jobs:
                pipe.xclaim(_key(job.lane), _GROUP, consumer, 0, [job.receipt], justid=True)
            for outcome in await pipe.execute(raise_on_error=False):
                # A queue that was emptied has no group: the claim loop makes it anew, the store knows what is owed.
                if isinstance(outcome, Exception) and not isinstance(outcome, ResponseError):
                    raise outcome

    async def finish(self, job: Job) -> None:
        """See the port."""
        async with translated_errors(), self._client.pipeline(transaction=True) as pipe:
            pipe.xack(_key(job.lane), _GROUP, job.receipt)
            pipe.xdel(_key(job.lane), job.receipt)
            await pipe.execute(raise_on_error=False)

    async def payloads(self, lane: str) -> list[dict[str, str]]:
        """See the port. Reads page by page: others are served in between."""
        found, start = list[Job](), "-"
        async with translated_errors():
            while rows := await self._client.xrange(_key(lane), min=start, count=_PAGE):
                found += [_job(lane, row) for row in rows]
                start = f"({found[-1].receipt}"
        return [job.payload for job in found]

    async def depth(self, lane: str) -> tuple[int, int]:
        """See the port."""
        async with translated_errors(), self._client.pipeline(transaction=False) as pipe:
            pipe.xpending(_key(lane), _GROUP)
            pipe.xlen(_key(lane))
            try:
                pending, length = await pipe.execute()
            except ResponseError:  # the lane does not exist yet
                return (0, 0)
        claimed = int(pending["pending"])
        return (max(length - claimed, 0), claimed)

    async def _take_over(self, consumer: str, lane: str, count: int) -> list[Job]:
        cursor, rows = _BEGINNING, list[Any]()
        # One answer looks at a part of what is worked on: a dead worker's jobs may be behind those of many others.
        while not rows:
            try:
                answer = await self._client.xautoclaim(
                    _key(lane), _GROUP, consumer, self._lease_ms, cursor, count=count
                )
            except ResponseError:  # the lane or its group does not exist yet
                await self._make_group(lane)
                return []
            cursor, rows = answer[0], [row for row in answer[1] if row[1]]
            if cursor == _BEGINNING:
                break
        return [_job(lane, row, deliveries=2) for row in rows]

    async def _take_new(
        self, consumer: str, lanes: Sequence[str], count: int, wait_seconds: float
    ) -> list[Job]:
        streams: dict[Any, Any] = {_key(lane): ">" for lane in lanes}
        names = {_key(lane).encode(): lane for lane in lanes}
        # To the engine, 0 means for ever.
        block = round(min(wait_seconds, _LONGEST_WAIT_SECONDS) * 1000) or None
        try:
            answer = cast(
                "list[tuple[bytes, list[Any]]] | dict[bytes, list[Any]]",
                await self._client.xreadgroup(_GROUP, consumer, streams, count=count, block=block),
            )
        except ResponseError:  # the engine was emptied
            for lane in lanes:
                await self._make_group(lane)
            return []
        rows = answer.items() if isinstance(answer, dict) else answer
        return [_job(names[key], row) for key, batch in rows for row in batch]

    async def _make_group(self, lane: str) -> None:
        try:
            await self._client.xgroup_create(_key(lane), _GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise


def _job(lane: str, row: Any, deliveries: int = 1) -> Job:
    receipt, fields = row
    payload = {key.decode(): value.decode() for key, value in fields.items()}
    return Job(receipt.decode(), lane, payload, deliveries)
