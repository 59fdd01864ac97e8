"""Checkpoints that are moved at about the same time are moved in one command.

Projections that follow the same events have taken them in within a few milliseconds of one another, and each would
save its place for itself: as many commands of the same few bytes. So whoever saves first waits for the others for a
moment, and saves for all. What is lost with a process that dies meanwhile is applied again, which changes nothing.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

from server.storage.database import reachable

_GATHER_SECONDS = 0.05

_Change: TypeAlias = tuple[str, int, UpdateOne]


@dataclass(slots=True, eq=False)
class _Round:
    """What one command saves: the first of it belongs to whoever saves for all."""

    changes: list[_Change]
    ended: asyncio.Future[list[bool] | Exception | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    """For each, whether its fence was still there; None when nobody has saved it."""


class Saving:
    """Call it with a name and a fence, and with the change of a document that is looked for by these."""

    def __init__(self, documents: AsyncCollection[dict[str, Any]]) -> None:
        self._documents = documents
        self._round: _Round | None = None

    async def __call__(self, name: str, fence: int, change: UpdateOne) -> bool:
        """Whether the document still had this fence. Errors: `Unavailable`."""
        said = (name, fence, change)
        while (going := self._round) is not None:
            going.changes.append(said)
            place = len(going.changes) - 1
            answers = await asyncio.shield(going.ended)
            if isinstance(answers, Exception):
                raise answers
            if answers is not None:
                return answers[place]
        self._round = _Round([said])
        return await self._lead(self._round)

    async def _lead(self, going: _Round) -> bool:
        try:
            try:
                await asyncio.sleep(_GATHER_SECONDS)
            finally:
                self._round = None  # whoever comes now begins another
            answers = await self._save(going.changes)
        except asyncio.CancelledError:
            going.ended.set_result(None)
            raise
        except Exception as error:
            # Whatever it is, those who wait for this save are told as well as whoever saves.
            going.ended.set_result(error)
            raise
        going.ended.set_result(answers)
        return answers[0]

    async def _save(self, wanted: list[_Change]) -> list[bool]:
        async with reachable():
            done = await self._documents.bulk_write([change for _, _, change in wanted], ordered=False)
            if done.matched_count == len(wanted):
                return [True] * len(wanted)
            names = {"_id": {"$in": [name for name, _, _ in wanted]}}
            found = self._documents.find(names, {"fence": 1})
            fences = {one["_id"]: one.get("fence") async for one in found}
        return [fences.get(name) == fence for name, fence, _ in wanted]
