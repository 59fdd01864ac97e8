"""The write repository: events, and with them their documents, in one transaction with a majority of the replica set.

One stream per conversation. `Stale` says that somebody else appended first: decide again on the new state. The
driver retries what MongoDB calls transient (an election, a write conflict); what it cannot know is answered by
`Unavailable`, and by the idempotency key of a send.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from server.domain.events import ConversationCreated, Event
from server.domain.ids import new_id
from server.storage.apply import apply
from server.storage.database import TRANSACTION, Client, reachable
from server.storage.documents import ConversationDocument, EventDocument

_event: TypeAdapter[Event] = TypeAdapter(Event)


class Stale(Exception):
    """The stream has moved on since its state was read."""


class Duplicate(Exception):
    """An idempotency key was used before."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An event in its place."""

    version: int
    event: Event
    meta: dict[str, Any]


class EventStore:
    """Append and replay."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def append(
        self,
        events: Sequence[Event],
        *,
        expected: int | None = None,
        actor: str,
        correlation: str | None = None,
    ) -> int:
        """Append events of one conversation; returns the stream's version then.

        `expected`: the version that the decision was made on; None where a fence of its own guards the events.
        Errors: `Stale`, `Duplicate`, `StaleAttempt`, `Unavailable`; nothing was stored.
        """
        stream = events[0].conversation
        meta = {"actor": actor, "correlation": correlation}

        async def run(session: AsyncClientSession) -> int:
            following = events
            if isinstance(events[0], ConversationCreated):
                await apply(events[0], session)  # makes the stream that the versions are taken from
                following = events[1:]
            version = await _advance(stream, len(events), expected, session)
            documents = [
                EventDocument(
                    id=new_id("evt"),
                    stream=stream,
                    version=version - len(events) + place,
                    type=event.type,
                    data=event.model_dump(mode="json"),
                    meta=meta,
                )
                for place, event in enumerate(events, start=1)
            ]
            await EventDocument.insert_many(documents, session=session)
            for event in following:
                await apply(event, session)
            return version

        async with reachable():
            try:
                async with self._client.start_session() as session:
                    return await session.with_transaction(run, **TRANSACTION)
            except DuplicateKeyError as error:
                pattern: dict[str, Any] = (error.details or {}).get("keyPattern", {})
                raise (Duplicate if "key" in pattern else Stale) from error

    async def replay(self, stream: str) -> AsyncIterator[Stored]:
        """The events of one conversation, from the first. Errors: `Unavailable`."""
        async with reachable():
            async for document in EventDocument.find(EventDocument.stream == stream).sort("version"):
                yield Stored(document.version, _event.validate_python(document.data), document.meta)


async def _advance(stream: str, count: int, expected: int | None, session: AsyncClientSession) -> int:
    """Take the next versions of a stream; returns the last of them."""
    wanted: dict[str, Any] = {"_id": stream}
    if expected is not None:
        wanted["version"] = expected
    found = await ConversationDocument.collection().find_one_and_update(
        wanted, {"$inc": {"version": count}}, projection={"version": 1}, return_document=True, session=session
    )
    if found is None:
        raise Stale
    return int(found["version"])
