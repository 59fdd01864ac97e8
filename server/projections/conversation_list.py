"""The list of conversations: what it says of each, whoever reads it; and a notice to those who look at theirs now.

As the search index, it looks at what there is now: what happened says only where to look.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pymongo import DeleteOne, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from server.projections.contract import Fact, Side
from server.projections.touched import touched
from server.storage.database import reachable
from server.storage.documents import ConversationDocument
from server.storage.lists import COLLECTION, row_of


class Listeners(Protocol):
    """Who is told that a list has changed."""

    async def changed(self, people: Mapping[str, Sequence[str]], before: Mapping[str, Sequence[str]]) -> None:
        """By conversation: who takes part now, and who did before. It raises nothing: a list can be asked for."""
        ...


class ConversationList:
    """`server.projections.contract.Projection`."""

    name = "conversations"
    version = 1

    def __init__(self, database: AsyncDatabase[dict[str, Any]], listeners: Listeners | None = None) -> None:
        self._database = database
        self._listeners = listeners

    def rows(self, side: Side) -> AsyncCollection[dict[str, Any]]:
        """The collection behind a side."""
        return self._database[COLLECTION if side == "live" else f"{COLLECTION}_next"]

    async def prepare(self, side: Side) -> None:
        """See the port."""
        if side == "next":
            async with reachable():
                await self.rows(side).drop()
                await self._database.create_collection(f"{COLLECTION}_next")

    async def apply(self, facts: Sequence[Fact], side: Side) -> None:
        """See the port."""
        found = touched(facts)
        if not found:
            return
        names = list(found)
        async with reachable():
            fields = {"owner": 1, "members": 1, "version": 1, "deleted": 1}
            cursor = ConversationDocument.collection().find({"_id": {"$in": names}}, fields)
            conversations = {one["_id"]: one async for one in cursor}
            before = await self._people(names, side)
            people: dict[str, list[str]] = {}
            writes: list[UpdateOne | DeleteOne] = []
            for name, one in conversations.items():
                if one["deleted"]:
                    people[name] = []
                    writes.append(DeleteOne({"_id": name}))
                    continue
                people[name] = list(dict.fromkeys([one["owner"], *one["members"]]))
                row = await row_of(name, one["version"]) | {"people": people[name]}
                writes.append(_not_back(row))
            if writes:
                await self.rows(side).bulk_write(writes, ordered=False)
        if side == "live" and self._listeners is not None:
            await self._listeners.changed(people, {name: before.get(name, []) for name in people})

    async def swap(self) -> None:
        """See the port."""
        async with reachable():
            await self.rows("next").rename(COLLECTION, dropTarget=True)

    async def _people(self, names: Sequence[str], side: Side) -> dict[str, list[str]]:
        cursor = self.rows(side).find({"_id": {"$in": names}}, {"people": 1})
        return {row["_id"]: row.get("people", []) async for row in cursor}


def _not_back(row: Mapping[str, Any]) -> UpdateOne:
    """Write a row, unless there is a newer one."""
    old = {"$gt": [{"$ifNull": ["$version", 0]}, row["version"]]}
    return UpdateOne(
        {"_id": row["_id"]},
        [{"$replaceWith": {"$cond": [old, "$$ROOT", {"$literal": dict(row)}]}}],
        upsert=True,
    )
