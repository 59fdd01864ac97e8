"""The read repository of lists of conversations.

Which conversations there are, and their order, is what was written with the events, so that somebody who has just
written finds it so. The last message comes from the projection, and where that is behind, from the messages.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from server.domain.listed import EXCERPT, LastMessage, Listed, unread
from server.storage.apply import stored
from server.storage.causal import preferred
from server.storage.database import reachable
from server.storage.documents import ConversationDocument, MessageDocument, PlaceDocument
from server.storage.pages import Cut, Order, Page, page

COLLECTION = "conversation_list"
"""Where the projection keeps its rows."""

Row: TypeAlias = Mapping[str, Any]
"""A document as MongoDB has it."""

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
            items = await self._listed([stored(one) for one in found], [user] * len(found))
        return Page(items=items, next=following, previous=previous)

    async def one(self, user: str, conversation: str) -> Listed | None:
        """A line of somebody's list; None when there is no such conversation."""
        return (await self.many([(user, conversation)]))[0]

    async def many(self, wanted: Sequence[tuple[str, str]]) -> list[Listed | None]:
        """Lines of several people's lists: for each pair of a person and a conversation."""
        names = list({conversation for _, conversation in wanted})
        async with reachable():
            # Whoever looks at a list gets one with every message: without the documents' own model in between.
            found = ConversationDocument.collection().find({"_id": {"$in": names}, "deleted": False})
            known = {row["_id"]: row async for row in found}
            pairs = [(user, known[name]) for user, name in wanted if name in known]
            items = iter(await self._listed([one for _, one in pairs], [user for user, _ in pairs]))
        return [next(items) if name in known else None for _, name in wanted]

    async def _listed(self, conversations: Sequence[Row], users: Sequence[str]) -> list[Listed]:
        rows = await _rows(conversations)
        names = [
            PlaceDocument.named(user, one["_id"]) for user, one in zip(users, conversations, strict=True)
        ]
        found = PlaceDocument.collection().find({"_id": {"$in": names}})
        places = {place["_id"]: place async for place in found}
        items: list[Listed] = []
        for name, user, conversation in zip(names, users, conversations, strict=True):
            row, place = rows[conversation["_id"]], places.get(name, {})
            said = next((one["seq"] for one in row["said"] if one["user"] == user), 0)
            more = {
                "id": conversation["_id"],
                "last": row["last"],
                "unread": unread(conversation["last_seq"], place.get("read", 0), said),
                "pinned": bool(place.get("pinned")),
            }
            items.append(Listed.model_validate({**conversation, **more}))
        return items


async def _rows(conversations: Sequence[Row]) -> dict[str, Row]:
    """By conversation: its row of the projection, or one made now where that is behind."""
    collection = preferred(ConversationDocument.collection().database[COLLECTION])
    names = list({one["_id"] for one in conversations})
    rows: dict[str, Row] = {row["_id"]: row async for row in collection.find({"_id": {"$in": names}})}
    for one in conversations:
        if rows.get(one["_id"], {}).get("version", -1) < one["version"]:
            rows[one["_id"]] = await row_of(one["_id"], one["version"])
    return rows


async def row_of(conversation: str, version: int) -> dict[str, Any]:
    """What a list says of a conversation, whoever reads it; `version`: it is not older than this."""
    chosen = {"conversation": conversation, "chosen": True}
    names = ("seq", "role", "user", "status", "created_at", "retracted", "archived")
    fields = dict.fromkeys(names, 1) | {"text": {"$substrCP": ["$text", 0, EXCERPT]}}
    said: dict[str, int] = {}
    last: LastMessage | None = None
    cursor = MessageDocument.collection().find(chosen, fields).sort([("seq", -1), ("_id", -1)])
    async for message in cursor.limit(_LOOK_BACK):
        if last is None and not (message.get("retracted") or message.get("archived")):
            last = LastMessage(**message | {"id": message["_id"]})
        if message["user"] is not None:
            said.setdefault(message["user"], message["seq"])
    return {
        "_id": conversation,
        "version": version,
        "last": last.model_dump() if last else None,
        "said": [{"user": user, "seq": seq} for user, seq in said.items()],
    }


_LOOK_BACK = 50
"""So many messages are looked at for the last that was neither taken back nor put away, and for each person's last."""
