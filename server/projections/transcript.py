"""The transcript: each message as the events make it, with what its text says about itself.

It is the same fold as that of the documents that are written with the events (`server.storage.apply`), followed a
moment later and kept apart: so it is also the proof that the events alone make the same messages.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from pymongo import ASCENDING, IndexModel, InsertOne, UpdateMany, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from server.domain.events import MessageCreated, MessageImported, MessageRetracted, ReplyEnded
from server.enrichment.enricher import Enricher, Enrichment
from server.projections.contract import Fact, Side
from server.storage.apply import effects
from server.storage.database import reachable
from server.storage.sides import Sides

_COLLECTION = "transcript"
_INDEXES = [
    IndexModel([("conversation", ASCENDING), ("chosen", ASCENDING), ("seq", ASCENDING)], name="branch"),
]


class Transcript:
    """`server.projections.contract.Projection`."""

    name = "transcript"
    version = 3

    def __init__(self, database: AsyncDatabase[dict[str, Any]], enricher: Enricher) -> None:
        self._sides = Sides(database, _COLLECTION)
        self._enricher = enricher

    async def prepare(self, side: Side) -> None:
        """See the port."""
        if side == "next":
            await self._sides.begin()
        async with reachable():
            await self._sides.rows(side).create_indexes(_INDEXES)

    async def apply(self, facts: Sequence[Fact], side: Side) -> None:
        """See the port."""
        told = await asyncio.to_thread(self._enrich, facts)
        writes: list[UpdateOne | UpdateMany] = []
        for fact in facts:
            changes: list[Any] = list(effects([fact.event]).messages)
            if fact.id in told:
                message, said = told[fact.id]
                changes.append(UpdateOne({"_id": message}, {"$set": said}))
            writes += [guarded(change, fact.version) for change in changes]
        if writes:
            async with reachable():
                await self._sides.rows(side).bulk_write(writes)

    async def swap(self) -> None:
        """See the port."""
        await self._sides.swap()

    def _enrich(self, facts: Sequence[Fact]) -> dict[str, tuple[str, dict[str, Any]]]:
        """By fact: the message, and what its text says about itself."""
        texts = {fact.id: found for fact in facts if (found := _text(fact))}
        return {name: (message, _metadata(self._enricher(text))) for name, (message, text) in texts.items()}


def guarded(write: Any, version: int) -> UpdateOne | UpdateMany:
    """A write of the fold as one that may come late, or again: a row never goes back behind an event it has seen.

    Events come in their order, so what a row has seen is said by the version of the latest.
    """
    if isinstance(write, InsertOne):
        document: dict[str, Any] = dict(write._doc)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage, reportUnknownMemberType, reportUnknownArgumentType]: it has no other name
        where = {"_id": document.pop("_id")}
        return UpdateOne(where, {"$setOnInsert": document | {"version": version}}, upsert=True)
    where = {"$and": [write._filter, {"version": {"$lte": version}}]}  # noqa: SLF001 - nor has this
    change = write._doc  # noqa: SLF001 - nor this
    change = {**change, "$set": {**change.get("$set", {}), "version": version}}
    return (UpdateMany if isinstance(write, UpdateMany) else UpdateOne)(where, change)


def _text(fact: Fact) -> tuple[str, str] | None:
    event = fact.event
    if isinstance(event, MessageCreated | MessageImported):
        return event.message, event.text
    if isinstance(event, ReplyEnded):
        return event.reply, event.text
    if isinstance(event, MessageRetracted):
        return event.message, ""  # its topics were its own words
    return None


def _metadata(found: Enrichment) -> dict[str, Any]:
    return {"language": found.language, "topics": list(found.topics), "sentiment": found.sentiment}
