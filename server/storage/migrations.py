"""Changes to what is stored already, each made once for a database.

Each may be repeated, and be run by several processes at a time: it changes only what it finds unchanged. Which have
been made is remembered in `migrations`.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

_BATCH = 1000
_DONE = "migrations"
_ACCOUNT = ("usage", "cost", "timing")

Database = AsyncDatabase[dict[str, Any]]


async def migrate(database: Database) -> None:
    """Make those that have not been made."""
    done = {document["_id"] async for document in database[_DONE].find({}, {"_id": 1})}
    for name, migration in _MIGRATIONS.items():
        if name in done:
            continue
        await migration(database)
        at = datetime.now(UTC)
        await database[_DONE].update_one({"_id": name}, {"$setOnInsert": {"at": at}}, upsert=True)


async def _branches(database: Database) -> None:
    """What was said before there were branches becomes one: each message after the one before it, the last the head."""
    messages, fields = database["messages"], {"conversation": 1, "seq": 1, "parent": 1}
    writes: list[UpdateOne] = []
    last: dict[str, Any] = {"_id": None, "conversation": None}
    async for message in messages.find({}, fields).sort([("conversation", 1), ("seq", 1)]):
        first = last["conversation"] != message["conversation"]
        if "parent" not in message:
            said: dict[str, Any] = {
                "parent": None if first else last["_id"],
                "chosen": True,
                "siblings": [],
                "retracted": False,
            }
            writes.append(UpdateOne({"_id": message["_id"], "parent": {"$exists": False}}, {"$set": said}))
        last = message
        if len(writes) == _BATCH:
            await messages.bulk_write(writes, ordered=False)
            writes.clear()
    if writes:
        await messages.bulk_write(writes, ordered=False)
    conversations = database["conversations"]
    async for conversation in conversations.find({"head": {"$exists": False}}, {"last_seq": 1}):
        where = {"conversation": conversation["_id"], "seq": conversation["last_seq"]}
        head = await messages.find_one(where, {"_id": 1})
        now: dict[str, Any] = {
            "head": head["_id"] if head else None,
            "open": await _open(database, conversation["_id"]),
        }
        unchanged = {"_id": conversation["_id"], "head": {"$exists": False}}
        await conversations.update_one(unchanged, {"$set": now})


async def _open(database: Database, conversation: str) -> dict[str, dict[str, Any]]:
    """The replies of a conversation that have not ended."""
    owed = {"conversation": conversation, "status": {"$in": ["queued", "running"]}}
    found: dict[str, dict[str, Any]] = {}
    async for reply in database["replies"].find(owed, {"created_at": 1, "attempt": 1}):
        message = await database["messages"].find_one({"_id": reply["_id"]}, {"seq": 1})
        if message is not None:
            said = {"seq": message["seq"], "at": reply["created_at"], "attempt": reply["attempt"]}
            found[reply["_id"]] = said
    return found


async def _retracted(database: Database) -> None:
    """What was taken back had lost its text alone: its thinking, its sources and its calls go as well."""
    calls: dict[str, Any] = {"tool_calls": [], "tool_results": []}
    gone: dict[str, Any] = {**calls, "reasoning": None, "citations": []}
    names: list[str] = []
    async for message in database["messages"].find({"retracted": True}, {"_id": 1}):
        names.append(message["_id"])
        if len(names) == _BATCH:
            await _empty(database, names, gone, calls)
            names.clear()
    await _empty(database, names, gone, calls)


async def _empty(database: Database, names: list[str], gone: dict[str, Any], calls: dict[str, Any]) -> None:
    await database["messages"].update_many({"_id": {"$in": names}}, {"$set": gone})
    await database["replies"].update_many({"_id": {"$in": names}}, {"$set": calls})


async def _archived(database: Database) -> None:
    """Before messages could be put away, none was."""
    said: dict[str, Any] = {"archived": False, "turns": 0}
    for collection in ("messages", "transcript"):
        await database[collection].update_many({"turns": {"$exists": False}}, {"$set": said})


async def _accounts(database: Database) -> None:
    """What a reply used, cost and took was kept with the reply alone: its message says so as well."""
    ended = {"status": {"$in": ["completed", "failed", "cancelled"]}}
    writes: list[UpdateOne] = []
    async for reply in database["replies"].find(ended, dict.fromkeys(_ACCOUNT, 1)):
        said = {name: reply[name] for name in _ACCOUNT if name in reply}
        if said:
            untold = {"_id": reply["_id"], "timing": {"$exists": False}}
            writes.append(UpdateOne(untold, {"$set": said}))
        if len(writes) == _BATCH:
            await database["messages"].bulk_write(writes, ordered=False)
            writes.clear()
    if writes:
        await database["messages"].bulk_write(writes, ordered=False)


_MIGRATIONS: dict[str, Callable[[Database], Awaitable[None]]] = {
    "branches": _branches,
    "retracted": _retracted,
    "archived": _archived,
    "accounts": _accounts,
}
