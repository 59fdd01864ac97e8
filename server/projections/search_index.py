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
        whole = [name for name, what in found.items() if what.all or what.readers or what.deleted]
        readers = await _readers(whole) if whole else {}
        gone = {name for name in whole if name not in readers}
        single: list[str] = []
        for name, what in found.items():
            if name in gone:
                continue
            differs = what.readers and await self._differs(name, readers[name], side)
            if what.all or differs:
                async for batch in _batches({"conversation": name}):
                    documents = [(message, readers[name]) for message in batch]
                    await self._put(documents, side, same_readers=not differs)
            else:
                single += what.messages
        if single:
            async for batch in _batches({"_id": {"$in": single}}, _WITH_READERS):
                gone |= {message["conversation"] for message in batch if not message["among"]}
                documents = [(message, _people(message["among"][0])) for message in batch if message["among"]]
                # Whoever leaves is an event of its own: it finds what was put here, and it alone looks for it.
                await self._put(documents, side, same_readers=True)
        for name in gone:
            await self._engine.remove_conversation(name, side)

    async def swap(self) -> None:
        """See the port."""
        await self._engine.swap()

    async def _differs(self, conversation: str, readers: tuple[str, ...], side: Side) -> bool:
        """Whether a message of it is in the index for others than these.

        Each is there for those who took part when it was put; its owner, who cannot leave, finds all of them.
        """
        known = await self._engine.readers(conversation, side)
        return bool(known) and (set(known) != set(readers) or len(set(known.values())) > 1)

    async def _put(
        self,
        messages: Sequence[tuple[dict[str, Any], tuple[str, ...]]],
        side: Side,
        *,
        same_readers: bool,
    ) -> None:
        """Each message with its readers."""
        wanted = [one for one in messages if _is_found(one[0])]
        if wanted:
            documents = await asyncio.to_thread(self._documents, wanted)
            await self._engine.put(documents, side, same_readers=same_readers)
        await self._engine.remove([message["_id"] for message, _ in messages if not _is_found(message)], side)

    def _documents(self, messages: Sequence[tuple[dict[str, Any], tuple[str, ...]]]) -> list[SearchDocument]:
        return [self._document(message, readers) for message, readers in messages]

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


def _people(conversation: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([conversation["owner"], *conversation["members"]]))


async def _readers(conversations: list[str]) -> dict[str, tuple[str, ...]]:
    """Who takes part in each of these that is not deleted."""
    wanted = {"_id": {"$in": conversations}, "deleted": False}
    async with reachable():
        found = await ConversationDocument.collection().find(wanted, _PARTS).to_list()
    return {one["_id"]: _people(one) for one in found}


async def _batches(
    wanted: Mapping[str, Any], more: Sequence[Mapping[str, Any]] = ()
) -> AsyncIterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    async with reachable():
        pipeline = [{"$match": wanted}, {"$project": _FIELDS}, *more]
        async with await MessageDocument.collection().aggregate(pipeline, batchSize=_AT_ONCE) as cursor:
            async for message in cursor:
                batch.append(message)
                if len(batch) == _AT_ONCE:
                    yield batch
                    batch = []
    if batch:
        yield batch


_PARTS = {"owner": 1, "members": 1}
_FIELDS = dict.fromkeys(
    ("conversation", "seq", "user", "role", "text", "created_at", "chosen", "retracted", "archived"), 1
)
_WITH_READERS: list[dict[str, Any]] = [
    {
        "$lookup": {
            "from": ConversationDocument.Settings.name,
            "localField": "conversation",
            "foreignField": "_id",
            "pipeline": [{"$match": {"deleted": False}}, {"$project": _PARTS}],
            "as": "among",
        }
    }
]
"""Beside each message, its conversation, unless that was deleted."""
