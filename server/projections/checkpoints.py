"""How far each projection is, and in whose hands: a document for each, with a lease and a fence.

Time is the database's: processes need not agree about it. Each taking of the lease raises the fence, and a holder
whose fence is not the newest can no longer move the checkpoint.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from realtime.together import Together
from server.domain.errors import Unavailable
from server.storage.database import reachable, stopped

Token = Mapping[str, Any]
"""MongoDB's own name for a place in a change stream."""

_COLLECTION = "projections"
_GATHER_SECONDS = 0.05
"""How long a save waits for those of projections that have taken in the same events: one command saves them all. What
is lost with a process that dies meanwhile is applied again, which changes nothing."""


class LeaseLost(Exception):
    """Somebody else has the projection now."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A lease: who has it, and the fence under which it was taken."""

    name: str
    fence: int
    version: int
    """Of the code that made what there is."""
    token: Token | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a projection is. `lag` is the age of the oldest event that it has not applied; 0 when there is none."""

    name: str
    holder: str | None
    lag: float
    applied: int
    rebuilt_at: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """What a checkpoint says."""

    token: Token
    events: int = 0
    last: str | None = None
    """The id of the last event applied; None when there was none."""
    said: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, eq=False)
class _Move:
    """What is to be written to the document of a projection, if it still has this fence."""

    hold: Hold
    said: Mapping[str, Any]

    def update(self) -> UpdateOne:
        return UpdateOne({"_id": self.hold.name, "fence": self.hold.fence}, [{"$set": self.said}])


class Checkpoints:
    """All methods raise `Unavailable`."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]], lease_seconds: float = 10.0) -> None:
        self._documents = database[_COLLECTION]
        self._events = database["events"]
        self._moving: Together[_Move, bool] = Together(
            self._move_all, at_once=1, gather_seconds=_GATHER_SECONDS
        )
        self.lease_seconds = lease_seconds

    async def take(self, name: str, holder: str, *, by_force: bool = False) -> Hold | None:
        """The lease, if nobody else has it; `by_force`, in any case: the present holder is fenced off."""
        free = {"$or": [{"holder": holder}, {"$expr": {"$lt": ["$until", "$$NOW"]}}, {"until": None}]}
        wanted = {"_id": name} if by_force else {"_id": name, **free}
        taken = {
            "holder": holder,
            "until": self._until(),
            # From the time on, where there is none: that of a lease which was forgotten must not come again.
            "fence": {"$add": [{"$ifNull": ["$fence", {"$toLong": "$$NOW"}]}, 1]},
        }
        change = [{"$set": taken}]
        async with reachable():
            found = await self._documents.find_one_and_update(wanted, change, return_document=True)
            if found is None:
                try:
                    await self._documents.insert_one({"_id": name})
                except DuplicateKeyError:
                    return None  # it is there, and in other hands
                found = await self._documents.find_one_and_update(wanted, change, return_document=True)
        if found is None:
            return None
        return Hold(name, found["fence"], found.get("version", 0), found.get("token"))

    async def save(self, hold: Hold, step: Step) -> None:
        """Move the checkpoint, and keep the lease. Errors: `LeaseLost`."""
        await self._update(hold, self._moved(step))

    async def save_with_others(self, hold: Hold, step: Step) -> None:
        """The same, a moment later: with those who follow the same events, in one command. Errors: `LeaseLost`."""
        if not await self._moving(_Move(hold, self._moved(step))):
            raise LeaseLost(hold.name)

    async def renew(self, hold: Hold) -> None:
        """Keep the lease. Errors: `LeaseLost`."""
        await self._update(hold, {"until": self._until()})

    @asynccontextmanager
    async def keeping(self, hold: Hold) -> AsyncGenerator[None]:
        """Keep the lease while the body runs, however long a step takes; that it was lost, the next save says."""
        task = asyncio.create_task(self._keep(hold))
        try:
            yield
        finally:
            await stopped([task])

    async def release(self, hold: Hold) -> None:
        """Let somebody else take it at once. What is still on its way to be saved is nobody's any more."""
        free = {"$set": {"until": None, "holder": None}, "$inc": {"fence": 1}}
        async with reachable():
            await self._documents.update_one({"_id": hold.name, "fence": hold.fence}, free)

    async def forget(self, hold: Hold) -> None:
        """Take a lease's document away altogether."""
        async with reachable():
            await self._documents.delete_one({"_id": hold.name, "fence": hold.fence})

    async def place(self, name: str) -> Token | None:
        """How far a projection was followed, and saved; None where it never was."""
        async with reachable():
            found = await self._documents.find_one({"_id": name}, {"token": 1})
        return found.get("token") if found is not None else None

    async def progress(self, names: list[str]) -> list[Progress]:
        """How far each is."""
        async with reachable():
            pipeline = [
                {"$match": {"_id": {"$in": names}}},
                {"$set": {"held": {"$gte": ["$until", "$$NOW"]}}},
            ]
            cursor = await self._documents.aggregate(pipeline)
            known = {found["_id"]: found async for found in cursor}
            return [await self._progress(name, known.get(name, {})) for name in names]

    async def _progress(self, name: str, known: Mapping[str, Any]) -> Progress:
        # Event ids sort by the time of their birth.
        newer = {"_id": {"$gt": known.get("last") or ""}}
        pipeline: list[dict[str, Any]] = [{"$match": newer}, {"$sort": {"_id": 1}}, {"$limit": 1}]
        pipeline.append({"$project": {"at": {"$toDate": "$data.at"}, "now": "$$NOW"}})
        waiting = await (await self._events.aggregate(pipeline)).to_list()
        lag = max(0.0, (waiting[0]["now"] - waiting[0]["at"]).total_seconds()) if waiting else 0.0
        holder = known.get("holder") if known.get("held") else None
        return Progress(name, holder, lag, known.get("applied", 0), known.get("rebuilt_at"))

    async def _keep(self, hold: Hold) -> None:
        while True:
            await asyncio.sleep(self.lease_seconds / 3)
            try:
                await self.renew(hold)
            except Unavailable:
                continue
            except LeaseLost:
                return

    async def _update(self, hold: Hold, said: Mapping[str, Any]) -> None:
        wanted = {"_id": hold.name, "fence": hold.fence}
        async with reachable():
            result = await self._documents.update_one(wanted, [{"$set": said}])
        if result.matched_count == 0:
            raise LeaseLost(hold.name)

    async def _move_all(self, moves: list[_Move]) -> list[bool]:
        """For each, whether its fence was still there."""
        async with reachable():
            done = await self._documents.bulk_write([move.update() for move in moves], ordered=False)
            if done.matched_count == len(moves):
                return [True] * len(moves)
            names = {"_id": {"$in": [move.hold.name for move in moves]}}
            fences = {one["_id"]: one.get("fence") async for one in self._documents.find(names, {"fence": 1})}
        return [fences.get(move.hold.name) == move.hold.fence for move in moves]

    def _moved(self, step: Step) -> dict[str, Any]:
        said: dict[str, Any] = {"token": {"$literal": dict(step.token)}, "until": self._until(), **step.said}
        said["applied"] = {"$add": [{"$ifNull": ["$applied", 0]}, step.events]}
        if step.last is not None:
            said["last"] = {"$max": ["$last", step.last]}  # ids of several processes do not come in order
        return said

    def _until(self) -> dict[str, Any]:
        return {"$add": ["$$NOW", round(self.lease_seconds * 1000)]}
