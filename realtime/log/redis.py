"""The log on Redis or Valkey: a stream per topic, written and published by one Lua call.

Everything of one topic carries the same hash tag, so that it lives on one slot of a cluster. Every key has a time to
live from its creation: `Retention.idle_seconds`, renewed by each append.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import NoScriptError
from uuid_utils import uuid7

from realtime.errors import DraftLost, RealtimeError, StaleWriter
from realtime.log.contract import Close, Draft, Entry, Grow, Open, Position, Reading, Record, Retention
from realtime.redis import translated_errors

_APPEND = (Path(__file__).parent / "append.lua").read_text()
_READ = (Path(__file__).parent / "read.lua").read_text()
_REFUSALS: dict[bytes, type[RealtimeError]] = {b"stale": StaleWriter, b"lost": DraftLost}


def channel(topic: str) -> str:
    """The pub/sub channel of a topic."""
    return f"log:{{{topic}}}"


@lru_cache(maxsize=4096)
def _keys(topic: str) -> tuple[str, str, str, str]:
    name = channel(topic)
    return (f"{name}:entries", f"{name}:meta", f"{name}:drafts", f"{name}:text:")


class RedisLog:
    """`realtime.log.contract.Log` on redis-py. The client must not decode responses."""

    def __init__(self, client: Redis, retention: Retention | None = None) -> None:
        self._client = client
        self._retention = retention or Retention()
        self._append = client.register_script(_APPEND)
        self._read = client.register_script(_READ)

    async def append(self, topic: str, records: Sequence[Record]) -> list[Position | Exception]:
        """See the port."""
        return (await self.append_many([(topic, records)]))[0]

    async def append_many(
        self, batches: Sequence[tuple[str, Sequence[Record]]]
    ) -> list[list[Position | Exception]]:
        """See the port."""

        def queue(pipe: Pipeline) -> None:
            for topic, records in batches:
                arguments = self._arguments(topic, records)
                pipe.evalsha(self._append.sha, 4, *_keys(topic), *arguments)

        async with translated_errors():
            replies = await self._pipelined(queue)
        return [_positions(reply) for reply in replies]

    async def read(self, topic: str, after: Position | None) -> Reading:
        """See the port."""
        idle = self._retention.idle_seconds
        epoch, offset = (after.epoch, after.offset) if after else ("", 0)
        async with translated_errors():
            call = cast(
                "Awaitable[list[Any]]",
                self._read(keys=_keys(topic), args=[_new_epoch(), idle, epoch, offset]),
            )
            found_epoch, top, recovered, rows = await call
        position = Position(found_epoch.decode(), top)
        if recovered:
            return Reading(position, True, entries=[_entry(row) for row in rows])
        drafts = [
            Draft(rows[i].decode(), rows[i + 1], rows[i + 2], rows[i + 3].decode())
            for i in range(0, len(rows), 4)
        ]
        return Reading(position, False, drafts=drafts)

    async def offsets(self, topics: Sequence[str]) -> list[Position | None]:
        """See the port."""
        async with translated_errors(), self._client.pipeline(transaction=False) as pipe:
            for topic in topics:
                pipe.hmget(_keys(topic)[1], ["e", "o"])
            rows = await pipe.execute()
        return [Position(epoch.decode(), int(offset)) if epoch else None for epoch, offset in rows]

    def _arguments(self, topic: str, records: Sequence[Record]) -> list[str | int | bytes]:
        kept = self._retention
        head: list[str | int | bytes] = [
            _new_epoch(),
            kept.max_entries,
            kept.idle_seconds,
            channel(topic),
            "PUBLISH",
        ]
        for record in records:
            head += _change_arguments(record)
        return head

    async def _pipelined(self, queue: Callable[[Pipeline], None]) -> list[Any]:
        """Run a pipeline of script calls; load the scripts where the engine does not (or no longer) know them."""
        for last in (False, True):
            async with self._client.pipeline(transaction=False) as pipe:
                queue(pipe)
                replies = await pipe.execute(raise_on_error=False)
            missing = [isinstance(reply, NoScriptError) for reply in replies]
            # A pipeline whose script is unknown has written nothing at all, so all of it may be run again.
            if all(missing) and missing and not last:
                await self._client.script_load(_APPEND)
                continue
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
            return replies
        raise AssertionError("the loop returns or raises")


def _new_epoch() -> str:
    return str(uuid7())


def _entry(row: tuple[bytes, list[bytes]]) -> Entry:
    identity, fields = row
    return Entry(int(identity.partition(b"-")[0]), fields[1])


def _positions(reply: list[Any]) -> list[Position | Exception]:
    epoch = reply[0].decode()
    return [
        Position(epoch, outcome) if isinstance(outcome, int) else _REFUSALS[outcome](outcome.decode())
        for outcome in reply[1:]
    ]


def _change_arguments(record: Record) -> tuple[str | int | bytes, ...]:
    match record.change:
        case None:
            return (record.body, "", "", 0, 0, "", "")
        case Open(draft, attempt, header, text):
            return (record.body, "open", draft, attempt, 0, header, text)
        case Grow(draft, attempt, size, text):
            return (record.body, "grow", draft, attempt, size, "", text)
        case Close(draft, attempt, size):
            return (record.body, "close", draft, attempt, -1 if size is None else size, "", "")
