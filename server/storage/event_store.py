"""The write repository: events, and with them their documents, in one transaction with a majority of the replica set.

One stream per conversation. `Stale` says that somebody else appended first: decide again on the new state. The
driver retries what MongoDB calls transient (an election, a write conflict); what it cannot know is answered by
`Unavailable`, and by the idempotency key of a send.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pymongo
from pydantic import TypeAdapter
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure

from server.domain.errors import StaleAttempt, TooLarge
from server.domain.events import ConversationCreated, Event, ReplyRequested
from server.domain.ids import new_id
from server.domain.quota import Quota
from server.domain.upcasting import Before, upcast
from server.storage.allowances import Allowances
from server.storage.apply import Effects, Reason, effects
from server.storage.causal import Causal
from server.storage.cause import present_cause
from server.storage.database import TRANSACTION, Client, reachable
from server.storage.documents import (
    ConversationDocument,
    EventDocument,
    MessageDocument,
    ReplyDocument,
    UsageDocument,
)

_DUPLICATE_KEY = 11000
_TOO_LARGE = frozenset({388, 10334})
"""The server's codes for a transaction that its cache does not hold, and for a document far above 16 MiB."""
_ABOVE_THE_LIMIT = "object to insert too large"
"""What it says of one that is just above, under a code that means nothing."""
_APPEND_SECONDS = 10.0

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


@dataclass(frozen=True, slots=True)
class Fact:
    """A stored event and its name, for whoever follows all conversations."""

    id: str
    version: int
    event: Event


def fact(document: Mapping[str, Any], before: Before | None = None) -> Fact:
    """A fact out of a document of the collection of events; `before` is what came before it in its stream, if known."""
    known = before or Before()
    data = upcast(document["type"], document.get("form", 1), document["data"], known)
    known.note(document["type"], data)
    return Fact(document["_id"], document["version"], _event.validate_python(data))


class EventStore:
    """Append and replay."""

    def __init__(
        self, client: Client, allowances: Allowances | None = None, causal: Causal | None = None
    ) -> None:
        self._client = client
        self._causal = causal
        self._allowances = allowances or Allowances(Quota())

    async def append(
        self,
        events: Sequence[Event],
        *,
        expected: int | None = None,
        actor: str,
        correlation: str | None = None,
    ) -> int:
        """Append events of one conversation; returns the stream's version then.

        `expected`: the version that the decision was made on; None where a fence of its own guards the events. What
        they belong to is said by `correlation`, or around the call (`server.storage.cause`).
        Errors: `Stale`, `Duplicate`, `StaleAttempt`, `QuotaExceeded`, `TooLarge`, `Unavailable`; nothing was stored.
        """
        return (await self._append(events, expected, actor, correlation))[0]

    async def append_end(self, events: Sequence[Event], *, actor: str) -> tuple[int, bool]:
        """Append the end of a reply. Errors: likewise.

        Returns the stream's version then, and whether its conversation owes another reply.
        """
        return await self._append(events, None, actor, None)

    async def _append(
        self, events: Sequence[Event], expected: int | None, actor: str, correlation: str | None
    ) -> tuple[int, bool]:
        stream = events[0].conversation
        cause = present_cause()
        belongs = correlation or cause.correlation
        meta = {"actor": actor, "correlation": belongs, "causation": cause.causation}
        reasons = [Reason(new_id("evt"), belongs) for _ in events]
        changes = effects(events, reasons)

        async def run(session: AsyncClientSession) -> tuple[int, bool]:
            if isinstance(events[0], ConversationCreated):
                version, owes = len(events), False
                document = changes.new_conversation(version)
                await ConversationDocument.collection().insert_one(document, session=session)
            else:
                change = changes.conversation_update(len(events))
                version, owes = await _advance(stream, expected, change, session)
            first = version - len(events) + 1
            documents = [
                _document(event, reason, first + place, meta)
                for place, (event, reason) in enumerate(zip(events, reasons, strict=True))
            ]
            await EventDocument.collection().insert_many(documents, session=session)
            await _write(changes, session)
            await self._allowances.apply(events, session)
            return version, owes

        async with reachable():
            try:
                # Left to itself the driver tries for two minutes: whoever sends would rather know.
                with pymongo.timeout(_APPEND_SECONDS):
                    await self._allowances.prepare(events)
                    async with self._client.start_session() as session:
                        appended = await session.with_transaction(run, **TRANSACTION)
            except OperationFailure as error:
                refusal = _refusal(error)
                if refusal is None:
                    raise
                raise refusal from error
        if self._causal is not None:
            await self._causal.wrote(session, stream, actor)
        return appended

    async def replay(self, stream: str) -> AsyncIterator[Stored]:
        """The events of one conversation, from the first. Errors: `Unavailable`."""
        before = Before()
        async with reachable():
            async for document in EventDocument.find(EventDocument.stream == stream).sort("version"):
                data = upcast(document.type, document.form, document.data, before)
                before.note(document.type, data)
                yield Stored(document.version, _event.validate_python(data), document.meta)

    async def requested(self, stream: str, reply: str) -> tuple[int, ReplyRequested] | None:
        """The event by which a reply is owed, and its version. Errors: `Unavailable`."""
        async with reachable():
            owed = await ReplyDocument.collection().find_one({"_id": reply}, {"cause": 1})
            # A reply knows the event that asked for it, but for those of an earlier version: no index is needed.
            wanted: dict[str, Any] = {"stream": stream, "type": "reply.requested", "data.reply": reply}
            if owed is not None and owed.get("cause") is not None:
                wanted["_id"] = owed["cause"]
            found = await EventDocument.find_one(wanted)
        if found is None:
            return None
        return found.version, ReplyRequested.model_validate(
            upcast(found.type, found.form, found.data, Before())
        )


async def _advance(
    stream: str, expected: int | None, change: dict[str, Any], session: AsyncClientSession
) -> tuple[int, bool]:
    """Take the next versions of a stream, and change its own document.

    Returns the last of the versions, and whether the conversation owes a reply then.
    """
    wanted: dict[str, Any] = {"_id": stream}
    if expected is not None:
        wanted["version"] = expected
    found = await ConversationDocument.collection().find_one_and_update(
        wanted, change, projection={"version": 1, "open": 1}, return_document=True, session=session
    )
    if found is None:
        raise Stale
    return int(found["version"]), bool(found.get("open"))


async def _write(changes: Effects, session: AsyncClientSession) -> None:
    """Messages and replies, a round trip for each. Errors: `StaleAttempt`."""
    if changes.replies:
        result = await ReplyDocument.collection().bulk_write(changes.replies, session=session)
        if result.matched_count < changes.fences:
            raise StaleAttempt("the reply is in newer hands, or has ended")
    if changes.marks:
        await ReplyDocument.collection().bulk_write(changes.marks, session=session)
    if changes.messages:
        await MessageDocument.collection().bulk_write(changes.messages, session=session)
    if changes.usage:
        await UsageDocument.collection().bulk_write(changes.usage, session=session)


def _document(event: Event, reason: Reason, version: int, meta: dict[str, Any]) -> dict[str, Any]:
    """As `EventDocument` says; every field is ours, so nothing needs to be checked."""
    return {
        "_id": reason.event or new_id("evt"),
        "stream": event.conversation,
        "version": version,
        "type": event.type,
        "form": event.form,
        "data": event.model_dump(mode="json"),
        "meta": meta,
    }


def _refusal(error: OperationFailure) -> Exception | None:
    """What a failure of the transaction says of the events; None where it says nothing of them."""
    first = _first_failure(error)
    if {error.code, first.get("code")} & _TOO_LARGE or _ABOVE_THE_LIMIT in first.get("errmsg", ""):
        return TooLarge()
    pattern = _duplicate(error) if isinstance(error, DuplicateKeyError | BulkWriteError) else None
    if pattern is None:
        return None
    return Duplicate() if "key" in pattern else Stale()


def _first_failure(error: OperationFailure) -> dict[str, Any]:
    """The first thing in a bulk write that failed."""
    failed: list[dict[str, Any]] = (error.details or {}).get("writeErrors", [])
    return failed[0] if failed else {}


def _duplicate(error: DuplicateKeyError | BulkWriteError) -> dict[str, Any] | None:
    """The unique index that was violated; None for another failure of a bulk write."""
    details: dict[str, Any] = dict(error.details or {})
    if isinstance(error, BulkWriteError):
        details = _first_failure(error)
        if details.get("code") != _DUPLICATE_KEY:
            return None
    return details.get("keyPattern", {})
