"""The engines behind the port of search, for the contract suite. Another one joins by a line in `SEARCH_ENGINES`."""

import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from meilisearch_python_sdk import AsyncClient
from uuid_utils import uuid7

from server.search.contract import SearchEngine
from server.search.meilisearch import CALL_SECONDS, MeiliSearch
from server.search.mongodb import MongoSearch
from server.storage.database import database
from tests.support.meilisearch import KEY, StandIn, serving


@asynccontextmanager
async def mongodb_search(mongodb_url: str) -> AsyncGenerator[SearchEngine]:
    """On a database of the test's own."""
    name = f"test_{uuid7().hex}"
    async with database(mongodb_url, name) as client:
        try:
            yield MongoSearch(client[name])
        finally:
            await client.drop_database(name)


@asynccontextmanager
async def meilisearch_stand_in(mongodb_url: str) -> AsyncGenerator[SearchEngine]:
    """On the stand-in; what was said to it and by it must stand in the official document."""
    stand_in = StandIn()
    async with serving(stand_in) as url, AsyncClient(url, KEY, timeout=CALL_SECONDS) as client:
        yield MeiliSearch(client, "test")
    assert stand_in.faults == [], stand_in.faults


@asynccontextmanager
async def meilisearch_server(mongodb_url: str) -> AsyncGenerator[SearchEngine]:
    """On a real server, in indexes of the test's own."""
    url, key = os.environ["CHAT_TEST_MEILISEARCH_URL"], os.environ.get("CHAT_TEST_MEILISEARCH_KEY")
    name = f"test_{uuid7().hex}"
    async with AsyncClient(url, key, timeout=CALL_SECONDS) as client:
        try:
            yield MeiliSearch(client, name)
        finally:
            for index in (f"{name}_messages", f"{name}_messages_next"):
                await client.delete_index_if_exists(index)


SEARCH_ENGINES: dict[str, Callable[[str], AbstractAsyncContextManager[SearchEngine]]] = {
    "mongodb": mongodb_search,
    "meilisearch": meilisearch_stand_in,
}
"""By name; each gets the address of the session's MongoDB."""

FORGIVING = frozenset({"meilisearch", "meilisearch-server"})
"""Those that take typing errors: Meilisearch's own."""

if "CHAT_TEST_MEILISEARCH_URL" in os.environ:
    SEARCH_ENGINES["meilisearch-server"] = meilisearch_server
