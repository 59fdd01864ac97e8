"""Follows the stored events of all conversations, in the order in which they were committed, as they are committed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pymongo.asynchronous.change_stream import AsyncChangeStream
from pymongo.errors import OperationFailure, PyMongoError

from server.domain.errors import Unavailable
from server.domain.upcasting import Before
from server.storage.database import reachable, stopped
from server.storage.documents import EventDocument
from server.storage.event_store import Fact, fact

Token = Mapping[str, Any]

_ROOM = 1000
_WAIT_MS = 500
_MOMENT_SECONDS = 0.01
"""In which what has gathered in the database comes here; what takes longer comes with the next batch."""
_LOST = frozenset({260, 280, 286})
"""The server's codes for a token that it cannot resume from: it is older than the oplog, or of another database."""


class TokenLost(Exception):
    """The events after this token cannot be followed any more: the database no longer has them in its log."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Events, in order, and where to go on after them; no events for a while still move the place."""

    facts: list[Fact]
    token: Token


class EventFeed:
    """Errors of all methods: `Unavailable`."""

    async def now(self) -> Token:
        """The present place: what is committed from now on comes after it."""
        async with reachable(), await EventDocument.collection().watch() as stream:
            token = stream.resume_token
            if token is None:  # something was committed at this very moment, and comes first
                await stream.try_next()
                token = stream.resume_token
        if token is None:
            raise Unavailable(
                "The database"
            )  # it always tells one; without it there is no place to go on from
        return token

    async def stored(self, batch: int) -> AsyncIterator[list[Fact]]:
        """All events that there are: conversation by conversation, each in its order."""
        facts: list[Fact] = []
        stream, before = "", Before()
        async with reachable():
            cursor = EventDocument.collection().find().sort([("stream", 1), ("version", 1)])
            async with cursor.batch_size(batch) as found:
                async for document in found:
                    if document["stream"] != stream:
                        stream, before = document["stream"], Before()
                    facts.append(fact(document, before))
                    if len(facts) == batch:
                        yield facts
                        facts = []
        if facts:
            yield facts

    @asynccontextmanager
    async def changes(self, after: Token, wait_ms: int = _WAIT_MS) -> AsyncGenerator["Changes"]:
        """What was committed after a place; `wait_ms` is how long it waits for more before it says so.

        Errors, here or while it is read: `TokenLost` as well.
        """
        pipeline = [{"$match": {"operationType": "insert"}}]
        async with translated():
            stream = await EventDocument.collection().watch(
                pipeline, resume_after=after, max_await_time_ms=wait_ms
            )
        async with stream:
            changes = Changes(stream)
            reading = asyncio.create_task(changes.read())
            try:
                yield changes
            finally:
                await stopped([reading])


class Changes:
    """An open change stream, read ahead by a task of its own, so that what is there can be had without waiting."""

    def __init__(self, stream: AsyncChangeStream[dict[str, Any]]) -> None:
        self._stream = stream
        self._read: asyncio.Queue[Heard | Exception] = asyncio.Queue(_ROOM)
        self._awake = asyncio.Event()
        self._awake.set()

    async def read(self) -> None:
        """Read until cancelled, or until an error, which `batch` then raises."""
        try:
            async with translated():
                while True:
                    change = await self._stream.try_next()
                    if change is not None:
                        await self._read.put(Heard([fact(change["fullDocument"])], change["_id"]))
                    elif (token := self._stream.resume_token) is not None:
                        await self._read.put(Heard([], token))
                    await self._awake.wait()
        except Exception as error:  # noqa: BLE001 - whoever waits for a batch is told, whatever it is
            await self._read.put(error)

    async def batch(self, limit: int, gather_seconds: float = 0.0) -> Heard:
        """What has come, at most `limit` events; waits for something, and comes back without any after a while.

        After the first event it waits `gather_seconds` for others to come with it. They wait in the database: asked
        for each as it comes, they would cost a round trip each.
        """
        heard = await self._next()
        facts, token = list(heard.facts), heard.token
        if facts and gather_seconds:
            self._awake.clear()
            await asyncio.sleep(gather_seconds)
            self._awake.set()
            await asyncio.sleep(_MOMENT_SECONDS)
        while len(facts) < limit and not self._read.empty():
            heard = await self._next()
            facts += heard.facts
            token = heard.token
        return Heard(facts, token)

    async def _next(self) -> Heard:
        found = await self._read.get()
        if isinstance(found, Exception):
            raise found
        return found


def reached(place: Token, mark: Token) -> bool:
    """Whether a place is at a mark, or behind it: the data of MongoDB's tokens sorts as its events do."""
    return str(place["_data"]) >= str(mark["_data"])


@asynccontextmanager
async def translated() -> AsyncGenerator[None]:
    """The driver's errors as ours."""
    try:
        yield
    except OperationFailure as error:
        if error.code in _LOST:
            raise TokenLost from error
        raise Unavailable("The database") from error
    except PyMongoError as error:
        raise Unavailable("The database") from error
