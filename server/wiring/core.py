"""The engines that every process stands on, in the order in which they open; what is opened later is closed earlier."""

import os
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from providers.registry import Registry
from realtime.log.contract import Log
from realtime.log.redis import RedisLog
from realtime.log.redis_feed import RedisFeed
from realtime.queue.redis import RedisQueue
from realtime.redis import command_client, subscription_client
from realtime.signals.redis import RedisSignals
from server.commands.announce import Announcer
from server.settings import Settings
from server.storage.database import Client, database
from server.storage.event_store import EventStore
from server.storage.reads import Reads
from server.storage.writes import Writes
from server.wiring.errors import NotConfigured
from server.wiring.providers import choose_provider, provider_configs


@dataclass(frozen=True, slots=True)
class Core:
    """What web and worker both stand on."""

    settings: Settings
    instance: str
    database: Client
    reads: Reads
    writes: Writes
    store: EventStore
    log: Log
    feed: RedisFeed
    queue: RedisQueue
    signals: RedisSignals
    announcer: Announcer
    registry: Registry
    default_provider: str


def now() -> datetime:
    """The clock: in UTC, to the millisecond, as MongoDB keeps it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@asynccontextmanager
async def core(settings: Settings) -> AsyncGenerator[Core]:
    """Open the engines that are configured. Errors: `NotConfigured`, `NotAReplicaSet`, `Unavailable`."""
    if settings.mongodb_url is None or settings.redis_url is None:
        missing = "CHAT_MONGODB_URL" if settings.mongodb_url is None else "CHAT_REDIS_URL"
        raise NotConfigured(f"Set {missing}, or use `python -m server up`, which brings engines of its own.")
    configs = provider_configs(settings)
    default_provider = choose_provider(settings, configs)
    async with AsyncExitStack() as stack:
        # The store first: what is open above it may still want to write while it closes.
        client = await stack.enter_async_context(database(settings.mongodb_url, settings.mongodb_database))
        commands = await stack.enter_async_context(command_client(settings.redis_url))
        subscriptions = await stack.enter_async_context(subscription_client(settings.redis_url))
        registry = await stack.enter_async_context(Registry(configs))
        log, queue, writes = RedisLog(commands), RedisQueue(commands), Writes()
        yield Core(
            settings=settings,
            instance=f"{socket.gethostname()}-{os.getpid()}",
            database=client,
            reads=Reads(),
            writes=writes,
            store=EventStore(client),
            log=log,
            feed=RedisFeed(subscriptions),
            queue=queue,
            signals=RedisSignals(commands, subscriptions),
            announcer=Announcer(log, queue),
            registry=registry,
            default_provider=default_provider,
        )
