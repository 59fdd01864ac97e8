"""The engines that every process stands on, in the order in which they open; what is opened later is closed earlier."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client.registry import Collector
from redis.asyncio import Redis

from providers.breaker import Policy
from providers.chain import Link
from providers.health import Health
from providers.registry import Registry
from realtime.attendance.contract import Attendance
from realtime.attendance.redis import RedisAttendance
from realtime.board.redis import RedisBoard
from realtime.handover.redis import RedisHandover
from realtime.leases.redis import RedisLeases
from realtime.log.cluster_feed import ClusterFeed
from realtime.log.contract import Feed, Log
from realtime.log.redis import RedisLog
from realtime.log.redis_feed import RedisFeed
from realtime.queue.redis import RedisQueue
from realtime.redis import command_client, subscription_client
from realtime.signals.redis import RedisSignals
from server.cache.levels import Levels
from server.commands.announce import Announcer
from server.domain.quota import Quota
from server.settings import Settings
from server.storage.allowances import Allowances
from server.storage.causal import Causal
from server.storage.database import Client, database
from server.storage.event_store import EventStore
from server.storage.reads import Reads
from server.storage.writes import Writes
from server.telemetry import BreakerStates, CacheReads
from server.wiring.breakers import SharedBreakers
from server.wiring.errors import NotConfigured
from server.wiring.providers import choose_provider, fallback_links, provider_configs


@dataclass(frozen=True, slots=True)
class Core:
    """What web and worker both stand on."""

    settings: Settings
    instance: str
    database: Client
    reads: Reads
    writes: Writes
    store: EventStore
    causal: Causal
    allowances: Allowances
    log: Log
    feed: Feed
    attendance: Attendance
    queue: RedisQueue
    signals: RedisSignals
    leases: RedisLeases
    cache: Levels
    announcer: Announcer
    registry: Registry
    health: Health
    default_provider: str
    fallbacks: list[Link]


def now() -> datetime:
    """The clock: in UTC, to the millisecond, as MongoDB keeps it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def allowances_of(settings: Settings) -> Allowances:
    """The accounts of the quota that is set, if one is."""
    return Allowances(Quota(settings.quota_replies, settings.quota_tokens))


def collectors(parts: Core) -> tuple[Collector, ...]:
    """What every process can say of itself."""
    return (
        BreakerStates(parts.health.states),
        CacheReads(parts.cache.counts, lambda: parts.cache.hears, lambda: len(parts.cache.memory)),
    )


@asynccontextmanager
async def core(settings: Settings) -> AsyncGenerator[Core]:
    """Open the engines that are configured. Errors: `NotConfigured`, `NotAReplicaSet`, `Unavailable`."""
    if settings.mongodb_url is None or settings.redis_url is None:
        missing = "CHAT_MONGODB_URL" if settings.mongodb_url is None else "CHAT_REDIS_URL"
        raise NotConfigured(f"Set {missing}, or use `python -m server up`, which brings engines of its own.")
    configs = provider_configs(settings)
    default_provider, fallbacks = choose_provider(settings, configs), fallback_links(settings, configs)
    async with AsyncExitStack() as stack:
        # The store first: what is open above it may still want to write while it closes.
        client = await stack.enter_async_context(database(settings.mongodb_url, settings.mongodb_database))
        commands = await stack.enter_async_context(command_client(settings.redis_url))
        subscriptions = await stack.enter_async_context(subscription_client(settings.redis_url))
        registry = await stack.enter_async_context(Registry(configs))
        board = RedisBoard(commands)
        causal = Causal(client, board, settings.read_preference)
        log, writes = RedisLog(commands), Writes(causal)
        allowances = allowances_of(settings)
        queue = RedisQueue(commands, settings.lease_seconds, settings.queue_depth)
        # On a cluster a conversation and a lane are on servers of their own.
        handover = RedisHandover(commands, log, queue) if isinstance(commands, Redis) else None
        instance, signals = f"{socket.gethostname()}-{os.getpid()}", RedisSignals(commands, subscriptions)
        breakers = SharedBreakers(board, signals, instance)
        policy = Policy(failures=settings.breaker_failures, rest=settings.breaker_rest_seconds)
        health = Health(breakers, policy)
        cache = await stack.enter_async_context(Levels(commands, subscriptions).running())
        beside = await stack.enter_async_context(asyncio.TaskGroup())
        for task in (beside.create_task(health.run()), beside.create_task(breakers.listen(health))):
            stack.callback(task.cancel)
        yield Core(
            settings=settings,
            instance=instance,
            database=client,
            reads=Reads(),
            writes=writes,
            store=EventStore(client, allowances, causal),
            causal=causal,
            allowances=allowances,
            log=log,
            feed=RedisFeed(subscriptions) if isinstance(subscriptions, Redis) else ClusterFeed(subscriptions),
            attendance=RedisAttendance(commands),
            queue=queue,
            signals=signals,
            leases=RedisLeases(commands),
            cache=cache,
            announcer=Announcer(log, queue, default_provider, handover),
            registry=registry,
            health=health,
            default_provider=default_provider,
            fallbacks=fallbacks,
        )
