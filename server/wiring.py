"""The assembly: which engine stands behind which port, and in which order things open and close.

Nowhere else are engines named. What is opened later is closed earlier.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx2
from pydantic import SecretStr
from starlette.applications import Starlette

from providers.config import ProviderConfig
from providers.registry import Registry
from realtime.connection import Connection
from realtime.hub import Hub
from realtime.log.contract import Log
from realtime.log.redis import RedisLog
from realtime.log.redis_feed import RedisFeed
from realtime.log.writer import Publisher
from realtime.queue.redis import RedisQueue
from realtime.redis import command_client, subscription_client
from realtime.session import Limits
from realtime.signals.redis import RedisSignals
from server.commands.announce import Announcer
from server.commands.cancel_reply import CancelReply
from server.commands.characters import Characters
from server.commands.conversations import Conversations
from server.commands.send_message import SendMessage
from server.domain.conversation import MAX_TEXT
from server.domain.settings import ReplySettings
from server.embedded.model import ALIAS, CONTEXT, MAX_TOKENS
from server.queries.access import Queries
from server.queries.context import Contexts
from server.queries.snapshot import Snapshots
from server.settings import Settings
from server.storage.database import Client, database
from server.storage.event_store import EventStore
from server.storage.reads import Reads
from server.storage.writes import Writes
from server.telemetry import metrics_registry
from server.web.api import Api
from server.web.app import Parts, application
from server.web.auth import KeySet, Tokens
from server.web.chat import Chat
from server.web.chat_socket import ChatSocket
from server.web.event_stream import EventStream
from server.web.page import Page
from server.web.readiness import Canary
from server.workers.reply import ReplyJob
from server.workers.runner import Runner
from server.workers.sweeper import Sweeper

_HERE = Path(__file__).parent
STATIC = next((folder for folder in (_HERE / "static", _HERE.parent / "static") if folder.is_dir()), _HERE)
"""The page: inside the package where that was installed, beside it in a checkout."""
SOCKET_LIMITS = Limits(text=MAX_TEXT)

_OPENAI_MODEL = "gpt-5-mini"
_ANTHROPIC_MODEL = "claude-haiku-4-5"
_LARGE_WINDOW = 128_000


class NotConfigured(Exception):
    """Something that this process needs is not configured; the message says what to set."""


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


@dataclass(frozen=True, slots=True)
class Web:
    """A web process: serve `app`; when it has to stop, tell `connections`."""

    app: Starlette
    sockets: set[Connection]
    streams: set[Connection]


def now() -> datetime:
    """The clock: in UTC, to the millisecond, as MongoDB keeps it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def release() -> str:
    """The version of the installed package, or of a checkout."""
    try:
        return version("tertulia")
    except PackageNotFoundError:
        return "0.1.0"


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


@asynccontextmanager
async def web(settings: Settings) -> AsyncGenerator[Web]:
    """A web process, ready to be served. Errors: those of `core`."""
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(core(settings))
        tokens = await stack.enter_async_context(_tokens(settings))
        hub = await stack.enter_async_context(_running_hub(parts))
        queries = Queries(parts.reads)
        defaults = ReplySettings(provider=parts.default_provider)
        send = SendMessage(parts.store, parts.reads, parts.announcer, defaults, parts.registry.names, now)
        cancel = CancelReply(parts.store, parts.reads, parts.writes, parts.announcer, parts.signals, now)
        chat = Chat(tokens, queries, Snapshots(parts.reads), send, cancel, SOCKET_LIMITS)
        sockets, streams = ChatSocket(chat, hub), EventStream(chat, queries, hub)
        api = Api(
            tokens,
            queries,
            Conversations(parts.store, parts.reads, parts.announcer, parts.registry.names, now),
            Characters(parts.reads, parts.writes, parts.registry.names, now),
            send,
            cancel,
            parts.registry,
            parts.default_provider,
            guests=settings.guests,
        )
        gauges = {
            "sockets": ("Open sockets.", lambda: len(sockets.connections)),
            "event_streams": ("Open event streams.", lambda: len(streams.connections)),
            "topics": ("Conversations that this instance follows.", hub.topics),
            "events_delivered_total": ("Events handed to subscribers.", lambda: hub.delivered),
        }
        app = application(
            Parts(
                api=api,
                tokens=tokens,
                socket=sockets,
                events=streams,
                canary=Canary(hub, parts.log, parts.database, parts.instance),
                page=Page(STATIC),
                metrics=metrics_registry(gauges),
                version=release(),
            )
        )
        yield Web(app, sockets.connections, streams.connections)


@asynccontextmanager
async def worker(settings: Settings) -> AsyncGenerator[Runner]:
    """A worker process, ready to run. Errors: those of `core`."""
    async with core(settings) as parts:
        publisher = Publisher(parts.log)
        job = ReplyJob(
            parts.store,
            parts.reads,
            Contexts(parts.reads),
            parts.registry,
            publisher,
            parts.announcer,
            parts.default_provider,
            parts.instance,
            now,
        )
        runner = Runner(
            parts.queue, parts.signals, parts.reads, job.run, parts.instance, settings.worker_concurrency
        )
        sweeper = Sweeper(parts.store, parts.reads, parts.writes, parts.queue, parts.announcer, now)
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(publisher.run()), group.create_task(sweeper.run())]
            yield runner
            for task in beside:
                task.cancel()


def provider_configs(settings: Settings) -> list[ProviderConfig]:
    """What is configured, in the order of preference. Errors: `NotConfigured` when nothing is."""
    configs: list[ProviderConfig] = []
    if settings.openai_api_key or settings.openai_base_url:
        key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
        # Another server than OpenAI's has models of its own names: it is asked which.
        model = None if settings.openai_base_url else _OPENAI_MODEL
        configs.append(
            ProviderConfig(
                "openai", "openai", settings.openai_base_url, key, model, context_window=_LARGE_WINDOW
            )
        )
    if settings.anthropic_api_key or settings.anthropic_base_url:
        key = settings.anthropic_api_key.get_secret_value() if settings.anthropic_api_key else None
        url = settings.anthropic_base_url
        configs.append(
            ProviderConfig("anthropic", "anthropic", url, key, _ANTHROPIC_MODEL, context_window=_LARGE_WINDOW)
        )
    if settings.lmstudio_base_url:
        configs.append(ProviderConfig("lmstudio", "openai", settings.lmstudio_base_url))
    if settings.local_model_url:
        configs.append(
            ProviderConfig(
                "local",
                "openai",
                settings.local_model_url,
                default_model=ALIAS,
                max_tokens=MAX_TOKENS,
                context_window=CONTEXT,
            )
        )
    if not configs:
        raise NotConfigured(
            "No model is configured: set OPENAI_API_KEY, ANTHROPIC_API_KEY or LMSTUDIO_BASE_URL, or use "
            "`python -m server up`, which brings a small model of its own."
        )
    return [_with_model(config, settings) for config in configs]


def choose_provider(settings: Settings, configs: list[ProviderConfig]) -> str:
    """Who answers where nobody chooses. Errors: `NotConfigured`."""
    names = [config.name for config in configs]
    if settings.provider is None:
        return names[0]
    if settings.provider not in names:
        raise NotConfigured(f"CHAT_PROVIDER={settings.provider}, but only {', '.join(names)} is configured.")
    return settings.provider


def ensure_secret(settings: Settings) -> Settings:
    """The settings with a secret for tokens: the given one, or one that is kept in the data folder."""
    if settings.auth_secret is not None:
        return settings
    path = settings.data_dir / "secret"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:
        pass  # made by an earlier run, or by another process of this one
    return settings.model_copy(update={"auth_secret": SecretStr(path.read_text())})


def _with_model(config: ProviderConfig, settings: Settings) -> ProviderConfig:
    """`CHAT_MODEL` is the model of the default provider."""
    if settings.model is not None and config.name == (settings.provider or config.name):
        return replace(config, default_model=settings.model)
    return config


@asynccontextmanager
async def _tokens(settings: Settings) -> AsyncGenerator[Tokens]:
    secret = ensure_secret(settings).auth_secret
    assert secret is not None
    if settings.auth_jwks_url is None:
        yield Tokens(secret.get_secret_value())
        return
    async with httpx2.AsyncClient() as client:
        yield Tokens(secret.get_secret_value(), KeySet(settings.auth_jwks_url, client))


@asynccontextmanager
async def _running_hub(parts: Core) -> AsyncGenerator[Hub]:
    hub = Hub(parts.log, parts.feed)
    async with asyncio.TaskGroup() as group:
        tasks = hub.start(group)
        yield hub
        for task in tasks:
            task.cancel()
