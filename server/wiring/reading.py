"""The reading side: projections and who follows them, and the engine of search."""

from server.enrichment.enricher import Enricher
from server.projections.checkpoints import Checkpoints
from server.projections.contract import Projection
from server.projections.search_index import SearchIndex
from server.projections.transcript import Transcript
from server.search.contract import SearchEngine
from server.search.mongodb import MongoSearch
from server.settings import Settings
from server.storage.database import Client
from server.storage.event_feed import EventFeed
from server.workers.follower import Follower

PROJECTIONS = ("transcript", "search")
"""Their names, as `replay` takes them."""


def search_engine(settings: Settings, client: Client) -> SearchEngine:
    """The engine that is configured."""
    return MongoSearch(client[settings.mongodb_database])


def projections(settings: Settings, client: Client, engine: SearchEngine) -> list[Projection]:
    """All of them."""
    enricher = Enricher()
    return [Transcript(client[settings.mongodb_database], enricher), SearchIndex(engine, enricher)]


def checkpoints(settings: Settings, client: Client) -> Checkpoints:
    """How far they are."""
    return Checkpoints(client[settings.mongodb_database])


def followers(settings: Settings, client: Client, engine: SearchEngine, holder: str) -> list[Follower]:
    """One for each projection."""
    feed, places = EventFeed(), checkpoints(settings, client)
    return [Follower(one, feed, places, holder) for one in projections(settings, client, engine)]
