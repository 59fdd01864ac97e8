"""The reading side: projections and who follows them, and the engine of search."""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from meilisearch_python_sdk import AsyncClient

from realtime.log.contract import Log
from server.enrichment.enricher import Enricher
from server.projections.checkpoints import Checkpoints
from server.projections.contract import Projection
from server.projections.conversation_list import ConversationList, Listeners
from server.projections.search_index import SearchIndex
from server.projections.transcript import Transcript
from server.search.contract import DirectSearch, SearchEngine
from server.search.meilisearch import CALL_SECONDS, MeiliSearch
from server.search.mongodb import MongoSearch
from server.search.tenants import Tenants
from server.settings import Settings
from server.storage.database import Client
from server.storage.event_feed import EventFeed
from server.storage.event_tail import EventTail
from server.workers.follower import Follower
from server.workers.list_notices import ListNotices

PROJECTIONS = ("transcript", "conversations", "search")
"""Their names, as `replay` takes them."""


@asynccontextmanager
async def search_engine(settings: Settings, client: Client) -> AsyncGenerator[SearchEngine]:
    """The engine that is configured."""
    if settings.meilisearch_url is None:
        yield MongoSearch(client[settings.mongodb_database])
        return
    async with meilisearch(settings) as engine:
        yield engine


@asynccontextmanager
async def meilisearch(settings: Settings) -> AsyncGenerator[MeiliSearch]:
    """Meilisearch, where it is configured: houses that share one have indexes with the names of their databases."""
    assert settings.meilisearch_url is not None
    key = settings.meilisearch_key.get_secret_value() if settings.meilisearch_key else None
    async with AsyncClient(settings.meilisearch_url, key, timeout=CALL_SECONDS) as client:
        yield MeiliSearch(client, re.sub(r"[^a-zA-Z0-9_-]", "_", settings.mongodb_database))


def direct_search(settings: Settings, engine: SearchEngine) -> DirectSearch | None:
    """Whoever lets browsers search by themselves, where they may."""
    if settings.meilisearch_public_url is None or not isinstance(engine, MeiliSearch):
        return None
    return Tenants(engine.client, engine.live, settings.meilisearch_public_url)


def projections(
    settings: Settings, client: Client, engine: SearchEngine, listeners: Listeners | None = None
) -> list[Projection]:
    """All of them; `listeners` are told of changes of lists."""
    database, enricher = client[settings.mongodb_database], Enricher()
    return [
        Transcript(database, enricher),
        ConversationList(database, listeners),
        SearchIndex(engine, enricher),
    ]


def checkpoints(settings: Settings, client: Client) -> Checkpoints:
    """How far they are."""
    return Checkpoints(client[settings.mongodb_database])


def followers(
    settings: Settings, client: Client, engine: SearchEngine, holder: str, log: Log
) -> list[Follower | EventTail]:
    """One for each projection, and what they read together."""
    tail, places = EventTail(EventFeed()), checkpoints(settings, client)
    all_of_them = projections(settings, client, engine, ListNotices(log))
    return [tail, *(Follower(one, tail, places, holder) for one in all_of_them)]
