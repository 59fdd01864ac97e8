"""The search index: messages as they are now, for those who take part now.

What happened says only which messages to look at; they are then read as they are. So it does not matter how often, or
by whom, an event is applied: what is written is never older than the event.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from server.enrichment.enricher import Enricher
from server.projections.contract import Fact, Side
from server.projections.touched import touched
from server.search.contract import SearchDocument, SearchEngine
from server.storage.database import reachable
from server.storage.documents import ConversationDocument, MessageDocument

_AT_ONCE = 500
_VERSION = 1


class SearchIndex:
    """`server.projections.contract.Projection`, on any engine."""

    name = "search"

    def __init__(self, engine: SearchEngine, enricher: Enricher) -> None:
        # Another engine, or another form of its index, is built anew: what there is was made for the one before.
        self.version = _VERSION + engine.form
        self._engine = engine
        self._enricher = enricher

    async def prepare(self, side: Side) -> None:
        """See the port."""
        await self._engine.prepare(side)

    async def apply(self, facts: Sequence[Fact], side: Side) -> None:
        """See the port."""
        found = touched(facts)
        if not found:
            return
        readers = await _readers(list(found))
        single: list[str] = []
        for conversation, what in found.items():
            if conversation not in readers:
                await self._engine.remove_conversation(conversation, side)
            elif what.all or (what.readers and await self._has_others(conversation, readers, side)):
                async for batch in _batches({"conversation": conversation}):
                    await self._put(batch, readers, side)
            else:
                single += what.messages
        if single:
            async for batch in _batches({"_id": {"$in": single}}):
                await self._put(batch, readers, side)

    async def swap(self) -> None:
        """See the port."""
        await self._engine.swap()

    async def _has_others(
        self, conversation: str, readers: Mapping[str, tuple[str, ...]], side: Side
    ) -> bool:
        known = await self._engine.readers(conversation, side)
        return known is not None and known != frozenset(readers[conversation])

    async def _put(
        self, messages: list[dict[str, Any]], readers: Mapping[str, tuple[str, ...]], side: Side
    ) -> None:
        wanted = [message for message in messages if _is_found(message)]
        kept = {message["_id"] for message in wanted}
        documents = await asyncio.to_thread(self._documents, wanted, readers)
        await self._engine.put(documents, side)
        gone = [message["_id"] for message in messages if message["_id"] not in kept]
        await self._engine.remove(gone, side)

    def _documents(
        self, messages: list[dict[str, Any]], readers: Mapping[str, tuple[str, ...]]
    ) -> list[SearchDocument]:
        return [self._document(message, readers[message["conversation"]]) for message in messages]

    def _document(self, message: Mapping[str, Any], readers: tuple[str, ...]) -> SearchDocument:
        said = self._enricher(message["text"])
        return SearchDocument(
            id=message["_id"],
            conversation=message["conversation"],
            seq=message["seq"],
            readers=readers,
            user=message["user"],
            role=message["role"],
            text=message["text"],
            at=message["created_at"],
            language=said.language,
            topics=said.topics,
            sentiment=said.sentiment,
        )


def _is_found(message: Mapping[str, Any]) -> bool:
    """It says something, lies on the branch that is shown, and was neither taken back nor put away."""
    gone = message.get("retracted", False) or message.get("archived", False)
    return bool(message["text"].strip()) and message.get("chosen", True) and not gone


async def _readers(conversations: list[str]) -> dict[str, tuple[str, ...]]:
    """Who takes part in each of these that is not deleted."""
    wanted = {"_id": {"$in": conversations}, "deleted": False}
    async with reachable():
        cursor = ConversationDocument.collection().find(wanted, {"owner": 1, "members": 1})
        found = await cursor.to_list()
    return {one["_id"]: tuple(dict.fromkeys([one["owner"], *one["members"]])) for one in found}


async def _batches(wanted: Mapping[str, Any]) -> AsyncIterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    async with reachable(), MessageDocument.collection().find(wanted) as cursor:
        async for message in cursor:
            batch.append(message)
            if len(batch) == _AT_ONCE:
                yield batch
                batch = []
    if batch:
        yield batch
