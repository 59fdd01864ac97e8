"""Whether the stored events make the stored documents: replayed into an empty database, and compared field by field.

Each conversation's events and documents are read at one moment, so it may be done while the house goes on.
"""

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from server.domain.events import Event
from server.domain.upcasting import Before
from server.storage.apply import Effects, Reason, effects
from server.storage.database import Client, reachable
from server.storage.documents import (
    ConversationDocument,
    EventDocument,
    MessageDocument,
    ReplyDocument,
    StoredDocument,
    UsageDocument,
)
from server.storage.event_store import fact
from server.storage.migrations import Database

Row = dict[str, Any]

_BATCH = 500
_MARKS: dict[type[StoredDocument], frozenset[str]] = {ReplyDocument: frozenset({"cancel_requested"})}
"""Fields that are written beside the events: they need no history."""
_KINDS: tuple[type[StoredDocument], ...] = (
    ConversationDocument,
    MessageDocument,
    ReplyDocument,
    UsageDocument,
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one document that is stored in another way than its events say; `*` stands for all of it."""

    collection: str
    document: str
    field: str
    stored: Any
    replayed: Any


@dataclass(frozen=True, slots=True)
class Compared:
    """One conversation: how much there was, and what differs."""

    conversation: str
    events: int
    documents: int
    differences: list[Difference]


class Comparison:
    """`database` is the name of the house's. Errors of all methods: `Unavailable`."""

    def __init__(self, client: Client, database: str) -> None:
        self._client = client
        self._stored: Database = client[database]
        self._name = f"{database[:40]}_replayed_{secrets.token_hex(4)}"

    async def run(self, conversations: Sequence[str] = ()) -> AsyncIterator[Compared]:
        """Compare these, or all; the database that the events are replayed into is dropped afterwards."""
        try:
            wanted = {"_id": {"$in": list(conversations)}} if conversations else {}
            async with reachable():
                names = [
                    row["_id"]
                    async for row in self._rows(self._stored, ConversationDocument).find(wanted, {})
                ]
            for name in names:
                yield await self._compare(name)
        finally:
            async with reachable():
                await self._client.drop_database(self._name)

    async def _compare(self, conversation: str) -> Compared:
        async with reachable():
            async with self._client.start_session(snapshot=True) as session:
                events = await self._replay(conversation, session)
                stored = await self._documents(self._stored, conversation, session)
            replayed = await self._documents(self._client[self._name], conversation)
        names = list(dict.fromkeys([*stored, *replayed]))
        differences = [d for name in names for d in _differences(name, stored.get(name), replayed.get(name))]
        return Compared(conversation, events, len(names), differences)

    async def _replay(self, conversation: str, session: AsyncClientSession) -> int:
        """All its events, in batches as a worker of old would have appended them; how many there were."""
        cursor = self._rows(self._stored, EventDocument).find({"stream": conversation}, session=session)
        before, count = Before(), 0
        happened: list[Event] = []
        reasons: list[Reason] = []
        async for row in cursor.sort("version", 1):
            happened.append(fact(row, before).event)
            reasons.append(Reason(row["_id"], row["meta"].get("correlation")))
            if len(happened) == _BATCH:
                await self._apply(conversation, effects(happened, reasons), len(happened), first=count == 0)
                count += len(happened)
                happened, reasons = [], []
        if happened:
            await self._apply(conversation, effects(happened, reasons), len(happened), first=count == 0)
        return count + len(happened)

    async def _apply(self, conversation: str, changes: Effects, count: int, *, first: bool) -> None:
        empty = self._client[self._name]
        rows = self._rows(empty, ConversationDocument)
        if first:
            await rows.insert_one(changes.new_conversation(count))
        else:
            await rows.update_one({"_id": conversation}, changes.conversation_update(count))
        for kind, writes in (
            (ReplyDocument, changes.replies),
            (MessageDocument, changes.messages),
            (UsageDocument, changes.usage),
        ):
            if writes:
                await self._rows(empty, kind).bulk_write(writes)

    async def _documents(
        self, database: Database, conversation: str, session: AsyncClientSession | None = None
    ) -> dict[tuple[type[StoredDocument], str], Row]:
        found: dict[tuple[type[StoredDocument], str], Row] = {}
        for kind in _KINDS:
            field = "_id" if kind is ConversationDocument else "conversation"
            async for row in self._rows(database, kind).find({field: conversation}, session=session):
                found[(kind, row["_id"])] = row
        return found

    @staticmethod
    def _rows(database: Database, kind: type[StoredDocument]) -> Any:
        return database[kind.collection().name]


def _differences(
    name: tuple[type[StoredDocument], str], stored: Row | None, replayed: Row | None
) -> list[Difference]:
    kind, document = name
    collection = kind.collection().name
    if stored is None or replayed is None:
        return [Difference(collection, document, "*", stored, replayed)]
    # What was stored before a field was thought of has the field's default.
    one, other = (kind.model_validate(row).model_dump() for row in (stored, replayed))
    marks = _MARKS.get(kind, frozenset())
    return [
        Difference(collection, document, field, one[field], other[field])
        for field in one
        if field not in marks and one[field] != other[field]
    ]
