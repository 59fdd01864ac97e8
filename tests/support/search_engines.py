"""The engines behind the port of search, for the contract suite. Another one joins by a line in `SEARCH_ENGINES`."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from uuid_utils import uuid7

from server.search.contract import SearchEngine
from server.search.mongodb import MongoSearch
from server.storage.database import database


@asynccontextmanager
async def mongodb_search(mongodb_url: str) -> AsyncGenerator[SearchEngine]:
    """On a database of the test's own."""
    name = f"test_{uuid7().hex}"
    async with database(mongodb_url, name) as client:
        try:
            yield MongoSearch(client[name])
        finally:
            await client.drop_database(name)


SEARCH_ENGINES: dict[str, Callable[[str], AbstractAsyncContextManager[SearchEngine]]] = {
    "mongodb": mongodb_search,
}
"""By name; each gets the address of the session's MongoDB."""
