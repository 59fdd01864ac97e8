"""One lane on Redis: its keys, its scripts, and how jobs are written down.

Every key of a lane carries its hash tag, so that it lives on one slot of a cluster and a script changes all of it in
one step (`lua/lane.lua` says what they hold).
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from realtime.queue.contract import Job, Listed, State
from realtime.redis import Script

GROUP = "workers"
_LUA = Path(__file__).parent / "lua"
_PAYLOAD: msgspec.json.Decoder[dict[str, str]] = msgspec.json.Decoder(dict[str, str])


@lru_cache(maxsize=1024)
def keys(lane: str) -> tuple[str, ...]:
    """The keys that each script gets: stream, jobs, ring, users' lists, later, dead, born."""
    stream = f"queue:{{{lane}}}"
    return (
        stream,
        f"{stream}:jobs",
        f"{stream}:ring",
        f"{stream}:of:",
        f"{stream}:later",
        f"{stream}:dead",
        f"{stream}:born",
    )


def _script(name: str) -> Script:
    return Script(_LUA / "lane.lua", _LUA / f"{name}.lua")


PLACE, ENQUEUE, CLAIM, RENEW = _script("place"), _script("enqueue"), _script("claim"), _script("renew")
SETTLE, AMEND, WAITING = _script("settle"), _script("amend"), _script("waiting")


class _Record(msgspec.Struct):
    """What stands in `jobs`."""

    u: str
    p: str
    n: int
    t: float
    s: str
    r: str | None = None
    k: str | None = None
    e: str | None = None
    at: float | None = None


_record = msgspec.json.Decoder(_Record)


@dataclass(frozen=True, slots=True)
class Holding:
    """Who has an entry of the stream, and how often it was delivered."""

    consumer: str
    times: int


def written(payload: dict[str, str]) -> bytes:
    """A payload as it is kept."""
    return msgspec.json.encode(payload)


def claimed(lane: str, answer: list[Any]) -> list[Job]:
    """The answer of `claim.lua`."""
    born = answer[0].decode() if answer[0] else ""
    return [
        Job(*_named(lane, row), deliveries=int(row[3]), note=row[4].decode(), born=born) for row in answer[1:]
    ]


def waiting(lane: str, answer: list[Any]) -> list[Job]:
    """The answer of `waiting.lua`."""
    return [Job(*_named(lane, row), deliveries=0) for row in answer]


def entered(lane: str, fields: dict[bytes, bytes], born: str) -> Job:
    """An entry of the stream that was just delivered for the first time."""
    named = _named(lane, [fields[b"i"], fields[b"u"], fields[b"p"]])
    return Job(*named, deliveries=int(fields[b"n"]) + 1, note=fields[b"k"].decode(), born=born)


def listed(lane: str, job: str, raw: bytes, held: dict[str, Holding]) -> Listed:
    """A job of `jobs`, beside what the stream knows of it."""
    found = _record.decode(raw)
    holding = held.get(found.r or "")
    state: State = "waiting"
    if holding is not None:
        state = "working"
    elif found.s in {"later", "dead"}:
        state = "later" if found.s == "later" else "dead"
    return Listed(
        id=job,
        lane=lane,
        user=found.u,
        payload=_PAYLOAD.decode(found.p),
        state=state,
        deliveries=found.n + (holding.times if holding else 0),
        consumer=holding.consumer if holding else None,
        since=(found.at or found.t) / 1000,
        reason=found.e,
    )


def _named(lane: str, row: list[Any]) -> tuple[str, str, str, dict[str, str]]:
    return row[0].decode(), lane, row[1].decode(), _PAYLOAD.decode(row[2])
