"""The connection to MongoDB: a replica set, because nothing is accepted outside a transaction."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from beanie import init_beanie  # pyright: ignore[reportUnknownVariableType]: untyped parameters
from pymongo import AsyncMongoClient
from pymongo.errors import ConfigurationError, InvalidName, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from server.domain.errors import Unavailable
from server.storage.documents import DOCUMENTS
from server.storage.driver import lighten
from server.storage.migrations import migrate

Client = AsyncMongoClient[dict[str, Any]]

APP_NAME = "tertulia"
_ANSWER_MS = 5_000
_STOP_SECONDS = 1.0


class NotAReplicaSet(Exception):
    """The server is not a member of a replica set; the message says how to mend it."""

    def __init__(self) -> None:
        super().__init__(
            "This MongoDB is not a replica set, and without one there are no transactions.\n"
            "Start it with `mongod --replSet rs0`, then once:  mongosh --eval 'rs.initiate()'\n"
            "and connect with  CHAT_MONGODB_URL='mongodb://…/?replicaSet=rs0'."
        )


class NotAnAddress(Exception):
    """The address, or the name of the database, cannot be one; the message says which, and why."""


@asynccontextmanager
async def database(url: str, name: str) -> AsyncGenerator[Client]:
    """Connect, check, and declare documents and indexes. Errors: `NotAnAddress`, `NotAReplicaSet`, `Unavailable`."""
    lighten()
    async with _client(url, name) as client:
        async with reachable():
            hello = await client.admin.command("hello")
            if "setName" not in hello:
                raise NotAReplicaSet
            await init_beanie(database=client[name], document_models=DOCUMENTS)
            await migrate(client[name])
        yield client


def _client(url: str, name: str) -> Client:
    try:
        client: Client = AsyncMongoClient(
            url,
            serverSelectionTimeoutMS=_ANSWER_MS,
            connectTimeoutMS=_ANSWER_MS,
            socketTimeoutMS=4 * _ANSWER_MS,
            tz_aware=True,
            w="majority",
            readConcernLevel="majority",
            appname=APP_NAME,
        )
        client.get_database(name)
    except InvalidName as error:
        raise NotAnAddress(f"CHAT_MONGODB_DATABASE is no name of a database: {error}") from error
    except (ConfigurationError, ValueError) as error:
        raise NotAnAddress(f"CHAT_MONGODB_URL is no address of a database: {error}") from error
    return client


@asynccontextmanager
async def reachable() -> AsyncGenerator[None]:
    """Turn the driver's errors into `Unavailable`: nothing is known to be stored."""
    try:
        yield
    except PyMongoError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from error  # which the driver took for a lost connection
        raise Unavailable("The database") from error


async def stopped(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel until all are done: the driver may take a cancellation for a lost connection, try again, and go on."""
    while left := [task for task in tasks if not task.done()]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=_STOP_SECONDS)


TRANSACTION: dict[str, Any] = {
    "read_concern": ReadConcern("snapshot"),
    "write_concern": WriteConcern("majority", wtimeout=4 * _ANSWER_MS),
    "max_commit_time_ms": 4 * _ANSWER_MS,
}
