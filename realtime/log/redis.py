"""The log on Redis or Valkey: a stream per topic, written and published by one Lua call.

Everything of one topic carries the same hash tag, so that it lives on one slot of a cluster. Every key has a time to
live from its creation: `Retention.idle_seconds`, renewed by each append.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from redis.asyncio.cluster import RedisCluster
from uuid_utils import uuid7

from realtime.errors import DraftLost, RealtimeError, StaleWriter, Unavailable
from realtime.log.contract import Close, Draft, Entry, Grow, Open, Position, Reading, Record, Retention, Tell
from realtime.redis import (
    Call,
    Client,
    Command,
    Script,
    command,
    publishing,
    run,
    run_each,
    translated,
    translated_errors,
)
from realtime.together import Together

_LUA = Path(__file__).parent
_APPEND, _READ = (Script(_LUA / "epoch.lua", _LUA / name) for name in ("append.lua", "read.lua"))
_OFFSETS = Script(_LUA / "offsets.lua")
_AT_ONCE = 500
"""Logs that one call looks at: the server does nothing else meanwhile."""
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

    def __init__(self, client: Client, retention: Retention | None = None) -> None:
        self._client = client
        self._retention = retention or Retention()
        self._publish = publishing(client)
        # Of a cluster, a server that is away must not keep those waiting who ask another.
        apart = isinstance(client, RedisCluster)
        self._reads = Together(self._read_all, most=1 if apart else 100, at_once=10_000 if apart else 4)

    async def append(self, topic: str, records: Sequence[Record]) -> list[Position | Exception]:
        """See the port."""
        return (await self.append_many([(topic, records)]))[0]

    async def append_many(
        self, batches: Sequence[tuple[str, Sequence[Record]]]
    ) -> list[list[Position | Exception]]:
        """See the port."""

        calls = [(_keys(topic), self._arguments(topic, records)) for topic, records in batches]
        async with translated_errors():
            replies = await run_each(self._client, _APPEND, calls)
            outcomes = [
                _not_written(reply, records) if isinstance(reply, BaseException) else _positions(reply)
                for reply, (_, records) in zip(replies, batches, strict=True)
            ]
        away = [reply for reply in replies if isinstance(reply, BaseException)]
        if away and len(away) == len(replies):
            raise translated(away[0]) from away[0]
        return outcomes

    def appending(self, topic: str, records: Sequence[Record]) -> Command:
        """`append` as a command, for who sends another with it; `appended` reads its answer."""
        return command(_APPEND, (_keys(topic), self._arguments(topic, records)))

    @staticmethod
    def appended(reply: list[Any]) -> list[Position | Exception]:
        """What `append` returns."""
        return _positions(reply)

    async def read(self, topic: str, after: Position | None) -> Reading:
        """See the port. A crowd that comes back reads in one round trip, and what it asks alike once."""
        return await self._reads((topic, after))

    async def _read_all(self, places: list[tuple[str, Position | None]]) -> list[Reading | BaseException]:
        idle = self._retention.idle_seconds
        calls: list[Call] = [
            (_keys(topic), (_new_epoch(), idle, *((after.epoch, after.offset) if after else ("", 0))))
            for topic, after in places
        ]
        async with translated_errors():
            replies = await run_each(self._client, _READ, calls)
        return [
            translated(reply) if isinstance(reply, BaseException) else _reading(reply) for reply in replies
        ]

    async def offsets(self, topics: Sequence[str]) -> list[Position | None]:
        """See the port."""
        metas = [f"{channel(topic)}:meta" for topic in topics]
        # Ten answers cost redis-py ten times as much as one of ten; of a cluster, one call asks for one slot alone.
        size = 1 if isinstance(self._client, RedisCluster) else _AT_ONCE
        calls = [(metas[start : start + size], ()) for start in range(0, len(metas), size)]
        async with translated_errors():
            replies = await run(self._client, _OFFSETS, calls)
        known = chain.from_iterable(replies)
        return [
            Position(epoch.decode(), int(offset)) if epoch else None
            for epoch, offset in zip(known, known, strict=True)
        ]

    def _arguments(self, topic: str, records: Sequence[Record]) -> list[str | int | bytes]:
        kept = self._retention
        head: list[str | int | bytes] = [
            _new_epoch(),
            kept.max_entries,
            kept.idle_seconds,
            kept.max_age_seconds * 1000,
            channel(topic),
            self._publish,
        ]
        for record in records:
            head += _change_arguments(record)
        return head


def _new_epoch() -> str:
    return str(uuid7())


def _reading(reply: list[Any]) -> Reading:
    epoch, top, recovered, rows = reply
    position = Position(epoch.decode(), top)
    if recovered:
        return Reading(position, True, entries=[_entry(row) for row in rows])
    drafts = [
        Draft(rows[i].decode(), rows[i + 1], rows[i + 2], rows[i + 3].decode())
        for i in range(0, len(rows), 4)
    ]
    return Reading(position, False, drafts=drafts)


def _entry(row: tuple[bytes, list[bytes]]) -> Entry:
    identity, fields = row
    return Entry(int(identity.partition(b"-")[0]), fields[1])


def _positions(reply: list[Any]) -> list[Position | Exception]:
    epoch = reply[0].decode()
    return [
        Position(epoch, outcome) if isinstance(outcome, int) else _REFUSALS[outcome](outcome.decode())
        for outcome in reply[1:]
    ]


def _not_written(error: BaseException, records: Sequence[Record]) -> list[Position | Exception]:
    """What stands in the place of positions where a topic's server is away; any other error is a bug, and raised."""
    told = translated(error)
    if not isinstance(told, Unavailable):
        raise told
    return [told] * len(records)


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
        case Tell(draft, attempt):
            return (record.body, "tell", draft, attempt, -1, "", "")
