"""The list of conversations: what it says of each, whoever reads it; and a notice to those who look at theirs now.

As the search index, it looks at what there is now: what happened says only where to look.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Protocol

from pymongo import DeleteOne, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from server.domain.events import ConversationChanged, ConversationCreated
from server.projections.contract import Fact, Side
from server.projections.touched import touched
from server.storage.database import reachable
from server.storage.list_rows import ROWS, Seen, look
from server.storage.sides import Sides


class Listeners(Protocol):
    """Who is told that a list has changed."""

    async def changed(self, seen: Sequence[Seen]) -> None:
        """These conversations. It raises nothing: a list can be asked for."""
        ...


class ConversationList:
    """`server.projections.contract.Projection`."""

    name = "conversations"
    version = 1

    def __init__(self, database: AsyncDatabase[dict[str, Any]], listeners: Listeners | None = None) -> None:
        self._sides = Sides(database, ROWS)
        self._listeners = listeners

    async def prepare(self, side: Side) -> None:
        """See the port."""
        if side == "next":
            await self._sides.begin()

    async def apply(self, facts: Sequence[Fact], side: Side) -> None:
        """See the port."""
        found = touched(facts)
        if not found:
            return
        listeners = self._listeners if side == "live" else None
        async with reachable():
            # What is built anew takes over who was told of what until now.
            seen = await look(list(found), ROWS if listeners or side == "next" else None)
        # Before the rows are written, which say who took part until now: whoever dies in between tells it again.
        # What a person has read is told as it was a moment ago, too, and no later than has to be.
        if listeners is not None and seen:
            named = _named(facts)
            await listeners.changed([_with_more(one, named.get(one.row["_id"], ())) for one in seen])
        if writes := [write for one in seen if (write := _write(one, side))]:
            async with reachable():
                await self._sides.rows(side).bulk_write(writes, ordered=False)

    async def swap(self) -> None:
        """See the port."""
        await self._sides.swap()


def _named(facts: Sequence[Fact]) -> dict[str, set[str]]:
    """By conversation: who took part in it at some time during these events, be it for a moment."""
    named: dict[str, set[str]] = {}
    for fact in facts:
        event = fact.event
        if isinstance(event, ConversationCreated):
            named.setdefault(event.conversation, set()).update([event.owner, *event.members])
        elif isinstance(event, ConversationChanged):
            named.setdefault(event.conversation, set()).update(event.members)
    return named


def _with_more(seen: Seen, named: Collection[str]) -> Seen:
    """Whose list may show it by now: a list that was read meanwhile has it, though no row ever said so."""
    return replace(seen, before=[*seen.before, *named])


def _write(seen: Seen, side: Side) -> UpdateOne | DeleteOne | None:
    """Write its row, unless there is a newer one.

    The live side tells those who are gone; what it will come to again keeps them until then.
    """
    people = seen.people if side == "live" else list(dict.fromkeys([*seen.people, *seen.before]))
    row = seen.row | {"people": people}
    if seen.conversation["deleted"]:
        if side == "live":
            return DeleteOne({"_id": row["_id"]})
        if not people:
            return None
    said: dict[str, Any] = {"$literal": row}
    if side == "next":
        gone: dict[str, Any] = {"$setDifference": [{"$ifNull": ["$people", []]}, people]}
        said = {"$mergeObjects": [said, {"people": {"$concatArrays": [people, gone]}}]}
    newer = {"$gt": [{"$ifNull": ["$version", 0]}, row["version"]]}
    return UpdateOne({"_id": row["_id"]}, [{"$replaceWith": {"$cond": [newer, "$$ROOT", said]}}], upsert=True)
