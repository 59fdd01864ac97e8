"""What lists say of conversations, whoever reads them: made of what there is now, for many in one question.

The projection keeps it as a row for each; where that is behind, whoever reads makes it anew.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from server.domain.listed import EXCERPT
from server.storage.documents import ConversationDocument, MessageDocument, PlaceDocument

ROWS = "conversation_list"
"""Where the projection keeps them."""

Row: TypeAlias = Mapping[str, Any]
"""A document as MongoDB has it."""

_LOOK_BACK = 50
"""So many messages are looked at for the last that was neither taken back nor put away, and for each person's last."""

_LAST = ("seq", "role", "user", "text", "status", "created_at")
_NEWEST: list[dict[str, Any]] = [
    {"$match": {"chosen": True}},
    {"$sort": {"seq": -1, "_id": -1}},
    {"$limit": _LOOK_BACK},
]


@dataclass(frozen=True, slots=True)
class Seen:
    """A conversation as it is, with what lists say of it."""

    conversation: Row
    row: dict[str, Any]
    """What is said whoever reads it; not older than the conversation beside it."""
    people: list[str]
    """Who takes part now: nobody, where it was deleted."""
    before: list[str]
    """Who took part when its row was last written."""
    places: Mapping[str, Row]
    """Where people are in it, by the names of their documents."""


async def rows_of(conversations: Collection[str]) -> dict[str, dict[str, Any]]:
    """By conversation: its row, as what there is now makes it. Errors: the driver's."""
    return {found["_id"]: _row(found) for found in await _found(conversations, [])}


async def look(conversations: Collection[str], rows: str | None = None) -> list[Seen]:
    """These conversations; with the name of the collection of `rows`, `before` and `places` are filled as well.

    Errors: the driver's.
    """
    return [_seen(found) for found in await _found(conversations, _known(rows) if rows else [])]


async def _found(conversations: Collection[str], more: list[dict[str, Any]]) -> list[dict[str, Any]]:
    pipeline = [{"$match": {"_id": {"$in": list(conversations)}}}, *_SAID, *more]
    cursor = await ConversationDocument.collection().aggregate(pipeline)
    return await cursor.to_list()


def _joined(collection: str, by: tuple[str, str], pipeline: list[dict[str, Any]], to: str) -> dict[str, Any]:
    """A stage that puts what another collection has into `list.{to}`."""
    local, foreign = by
    said = {"from": collection, "localField": local, "foreignField": foreign, "pipeline": pipeline}
    return {"$lookup": said | {"as": f"list.{to}"}}


def _said() -> list[dict[str, Any]]:
    messages, by = MessageDocument.Settings.name, ("_id", "conversation")
    shown = dict.fromkeys(_LAST, 1) | {"text": {"$substrCP": ["$text", 0, EXCERPT]}}
    there = {"retracted": {"$ne": True}, "archived": {"$ne": True}}
    last = [*_NEWEST, {"$match": there}, {"$limit": 1}, {"$project": shown}]
    by_person = {"$group": {"_id": "$user", "seq": {"$max": "$seq"}}}
    each = [*_NEWEST, {"$match": {"user": {"$ne": None}}}, by_person, {"$sort": {"seq": -1}}]
    return [_joined(messages, by, last, "last"), _joined(messages, by, each, "said")]


_SAID = _said()


def _known(rows: str) -> list[dict[str, Any]]:
    people = {"$concatArrays": [["$owner"], "$members"]}
    named = {
        "$map": {"input": people, "as": "one", "in": {"$concat": ["$_id", PlaceDocument.BETWEEN, "$$one"]}}
    }
    return [
        _joined(rows, ("_id", "_id"), [{"$project": {"people": 1}}], "before"),
        {"$set": {"list.named": named}},
        _joined(PlaceDocument.Settings.name, ("list.named", "_id"), [], "places"),
    ]


def _row(found: Mapping[str, Any]) -> dict[str, Any]:
    last = next(
        ({"id": one["_id"]} | {name: one[name] for name in _LAST} for one in found["list"]["last"]), None
    )
    said = [{"user": one["_id"], "seq": one["seq"]} for one in found["list"]["said"]]
    return {"_id": found["_id"], "version": found["version"], "last": last, "said": said}


def _seen(found: dict[str, Any]) -> Seen:
    row = _row(found)
    more: dict[str, list[dict[str, Any]]] = found.pop("list")
    people = [] if found["deleted"] else list(dict.fromkeys([found["owner"], *found["members"]]))
    before: list[str] = [user for one in more.get("before", ()) for user in one.get("people", ())]
    return Seen(found, row, people, before, {one["_id"]: one for one in more.get("places", ())})
