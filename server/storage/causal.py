"""Reading from secondaries, and never less than one has written oneself.

Whoever appends leaves a mark with MongoDB's time of the commit, for the conversation and for the person, where every
process finds it (`realtime.board`). Who reads as preferred does so in a causally consistent session that begins at
those marks: a secondary that has not come so far makes the read wait until it has, and where that takes too long, or
the marks cannot be read, the primary is asked.
"""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Literal, TypeAlias, TypeVar

import bson
import pymongo
import structlog
from bson import Timestamp
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.mongo_client import AsyncMongoClient
from pymongo.read_preferences import Nearest, PrimaryPreferred, SecondaryPreferred

from realtime.board.contract import Board
from realtime.errors import Unavailable as EngineAway
from server.domain.errors import Unavailable

_log = structlog.get_logger(__name__)

T = TypeVar("T")
Preference: TypeAlias = Literal["primary", "primaryPreferred", "secondaryPreferred", "nearest"]

_STALEST = 90
"""Seconds: the least that MongoDB takes. A member that is farther behind is not asked."""
_MARK_SECONDS = 120.0
"""Longer than a member that is asked may be behind."""
_WAIT_SECONDS = 1.0
"""For a secondary to come as far as it must, and to answer."""

_Mode: TypeAlias = PrimaryPreferred | SecondaryPreferred | Nearest
_MODES: dict[Preference, _Mode] = {
    "primaryPreferred": PrimaryPreferred(max_staleness=_STALEST),
    "secondaryPreferred": SecondaryPreferred(max_staleness=_STALEST),
    "nearest": Nearest(max_staleness=_STALEST),
}
_preferred: ContextVar[_Mode | None] = ContextVar("preferred", default=None)


def preferred(collection: AsyncCollection[dict[str, Any]]) -> AsyncCollection[dict[str, Any]]:
    """The collection as this read wants it: of the primary, unless a `Causal.read` is going on."""
    mode = _preferred.get()
    return collection if mode is None else collection.with_options(read_preference=mode)


class Causal:
    """`wrote` after each commit, `read` around what may be asked of a secondary. With `primary` neither does much."""

    def __init__(
        self, client: AsyncMongoClient[dict[str, Any]], board: Board, preference: Preference
    ) -> None:
        self._client = client
        self._board = board
        self._mode = _MODES.get(preference)
        self._blind_until = 0.0
        self.elsewhere = 0
        """So many reads were asked of the primary, because no secondary answered in time."""

    async def wrote(self, session: AsyncClientSession, *whose: str) -> None:
        """Leave a mark: what these read from now on has what was written in a session."""
        if self._mode is None or session.operation_time is None:
            return
        mark = _mark(session.operation_time, session.cluster_time)
        try:
            await self._board.raise_up(dict.fromkeys(map(_name, whose), mark), _MARK_SECONDS)
        except EngineAway as error:
            self._blind_until = asyncio.get_running_loop().time() + _MARK_SECONDS
            _log.warning("no mark was left: all is read from the primary for a while", error=str(error))

    async def read(self, ask: Callable[[], Awaitable[T]], *whose: str) -> T:
        """What `ask` reads, as preferred, and with all that these have written. Errors: those of `ask`.

        `ask` may be called twice, and must not leave anything behind that reads on after it.
        """
        if self._mode is None or asyncio.get_running_loop().time() < self._blind_until:
            return await ask()
        try:
            marks = await self._board.read(list(map(_name, whose)))
        except EngineAway:
            return await ask()
        try:
            with pymongo.timeout(_WAIT_SECONDS):
                async with self._client.start_session(causal_consistency=True) as session:
                    for mark in marks.values():
                        _advance(session, mark)
                    async with session.bind(end_session=False):
                        return await _as_preferred(self._mode, ask)
        except Unavailable:
            self.elsewhere += 1
        return await ask()


async def _as_preferred(mode: _Mode, ask: Callable[[], Awaitable[T]]) -> T:
    token = _preferred.set(mode)
    try:
        return await ask()
    finally:
        _preferred.reset(token)


def _name(of: str) -> str:
    return f"wrote:{of}"


def _mark(at: Timestamp, cluster: Any) -> str:
    """Greater marks are later. The cluster's time comes with it: a member takes no later one on trust."""
    told = b64encode(bson.encode(dict(cluster or {}))).decode()
    return f"{at.time:010d}.{at.inc:010d}.{told}"


def _advance(session: AsyncClientSession, mark: str) -> None:
    time, inc, told = mark.split(".", 2)
    session.advance_operation_time(Timestamp(int(time), int(inc)))
    cluster: dict[str, Any] = bson.decode(b64decode(told))  # pyright: ignore[reportUnknownMemberType]: a stub's array
    if cluster:
        session.advance_cluster_time(cluster)
