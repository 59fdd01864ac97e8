"""The collections behind the two sides of what is built anew beside itself: `live`, which is read, and `next`.

Each build has a `next` under a name of its own. Whoever began one, slept, and wakes up when another has begun finds
its own gone, and nothing of it can come into the other's, nor into the place of what is read.
"""

from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure
from uuid_utils import uuid7

from server.storage.database import reachable

_NOT_THERE = 26
"""The server's code for a collection that does not exist."""


class Overtaken(Exception):
    """Somebody else has begun to build it since."""


class Sides:
    """Of one collection. Errors of all methods: `Unavailable`."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]], name: str) -> None:
        self._database = database
        self._name = name
        self._next = self._fresh()

    def rows(self, side: str) -> AsyncCollection[dict[str, Any]]:
        """The collection behind `live`, or `next`."""
        return self._database[self._name if side == "live" else self._next]

    async def begin(self) -> None:
        """Have a `next` that is empty; those that others have begun are dropped."""
        async with reachable():
            begun = {"name": {"$regex": f"^{self._name}_next"}}
            for name in await self._database.list_collection_names(filter=begun):
                await self._database.drop_collection(name)
            self._next = self._fresh()
            await self._database.create_collection(self._next)

    async def swap(self) -> None:
        """Put `next` in the place of `live`, in one step for those who read. Errors: `Overtaken`."""
        async with reachable():
            try:
                await self.rows("next").rename(self._name, dropTarget=True)
            except OperationFailure as error:
                if error.code != _NOT_THERE:
                    raise
                raise Overtaken(self._name) from error

    def _fresh(self) -> str:
        return f"{self._name}_next_{uuid7().hex}"
