"""The read repository of lists of conversations.

Which conversations there are, and their order, is what was written with the events, so that somebody who has just
written finds it so. The last message comes from the projection, and where that is behind, from the messages.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from server.domain.listed import Listed, unread
from server.storage.apply import stored
from server.storage.causal import preferred
from server.storage.database import reachable
from server.storage.documents import ConversationDocument, PlaceDocument
from server.storage.list_rows import ROWS, Row, rows_of
from server.storage.pages import Cut, Order, Page, page

_LATEST_FIRST = Order("updated_at", descending=True)


class Lists:
    """Errors of all methods: `Unavailable`."""

    async def page(
        self, user: str, cut: Cut, *, archived: bool = False, pinned: bool | None = None
    ) -> Page[Listed]:
        """A page of somebody's list, the one with the latest message first."""
        wanted: dict[str, Any] = {
            "$and": [{"$or": [{"owner": user}, {"members": user}]}],
            "deleted": False,
            "archived": True if archived else {"$ne": True},
        }
        async with reachable():
            if pinned is not None:
                mine = {"user": user, "pinned": True}
                names = await PlaceDocument.collection().distinct("conversation", mine)
                wanted["_id"] = {"$in": names} if pinned else {"$nin": names}
            found, following, previous = await page(ConversationDocument, wanted, _LATEST_FIRST, cut)
            items = await self._listed([stored(one) for one in found], user)
        return Page(items=items, next=following, previous=previous)

    async def one(self, user: str, conversation: str) -> Listed | None:
        """A line of somebody's list; None when there is no such conversation in it."""
        wanted = {"_id": conversation, "deleted": False, "$or": [{"owner": user}, {"members": user}]}
        async with reachable():
            # Without the documents' own model between the driver and the domain.
            found = await ConversationDocument.collection().find_one(wanted)
            return (await self._listed([found], user))[0] if found is not None else None

    async def _listed(self, conversations: Sequence[Row], user: str) -> list[Listed]:
        rows = await _rows(conversations)
        names = [PlaceDocument.named(user, one["_id"]) for one in conversations]
        places: dict[str, Row] = {
            place["_id"]: place async for place in PlaceDocument.collection().find({"_id": {"$in": names}})
        }
        return [listed(user, one, rows[one["_id"]], places) for one in conversations]


def listed(user: str, conversation: Row, row: Row, places: Mapping[str, Row]) -> Listed:
    """A line of somebody's list."""
    own = own_part(user, conversation, row, places)
    return Listed.model_validate({**conversation, "id": conversation["_id"], "last": row["last"], **own})


def own_part(user: str, conversation: Row, row: Row, places: Mapping[str, Row]) -> dict[str, Any]:
    """What differs from person to person in a line; `places` by the names of their documents."""
    place = places.get(PlaceDocument.named(user, conversation["_id"]), {})
    said = next((one["seq"] for one in row["said"] if one["user"] == user), 0)
    behind = unread(conversation["last_seq"], place.get("read", 0), said)
    return {"unread": behind, "pinned": bool(place.get("pinned"))}


async def _rows(conversations: Sequence[Row]) -> dict[str, Row]:
    """By conversation: its row of the projection, or one made now where that is behind."""
    collection = preferred(ConversationDocument.collection().database[ROWS])
    names = list({one["_id"] for one in conversations})
    rows: dict[str, Row] = {row["_id"]: row async for row in collection.find({"_id": {"$in": names}})}
    behind = [
        one["_id"] for one in conversations if rows.get(one["_id"], {}).get("version", -1) < one["version"]
    ]
    return rows | (await rows_of(behind) if behind else {})
