"""A web process: what it serves, and whom it has to tell when it stops."""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import mkstemp

import httpx2
from pydantic import SecretStr
from starlette.applications import Starlette

from realtime.connection import Connection
from realtime.hub import Hub
from realtime.presence import Presence
from realtime.session import Limits
from server.domain.conversation import MAX_TEXT
from server.domain.wire import DeltaMerger, changes_admission
from server.queries.access import Queries
from server.queries.audit import Audit
from server.queries.export import Exports
from server.queries.search import Search
from server.queries.snapshot import Snapshots
from server.settings import SHORTEST_SECRET, Settings
from server.storage.database import stopped
from server.storage.lists import Lists
from server.telemetry import metrics_registry
from server.web.api.audit import AuditRoutes
from server.web.api.characters import CharacterRoutes
from server.web.api.conversations import ConversationRoutes
from server.web.api.messages import MessageRoutes
from server.web.api.portable import PortableRoutes
from server.web.api.replies import ReplyRoutes
from server.web.api.search import SearchRoutes
from server.web.api.session import SessionRoutes
from server.web.app import Parts, application
from server.web.auth import KeySet, Tokens
from server.web.chat import Chat
from server.web.chat_socket import ChatSocket
from server.web.depth import Depth
from server.web.event_stream import EventStream
from server.web.expiry import watch
from server.web.lag import Lag
from server.web.page import Page
from server.web.readiness import Canary
from server.web.write_limits import WriteLimits
from server.wiring import reading
from server.wiring.commands import commands
from server.wiring.core import Core, collectors, core, now
from server.wiring.errors import NotConfigured

_SERVER = Path(__file__).parents[1]
STATIC = next(
    (folder for folder in (_SERVER / "static", _SERVER.parent / "static") if folder.is_dir()), _SERVER
)
"""The page: inside the package where that was installed, beside it in a checkout."""
SOCKET_LIMITS = Limits(text=MAX_TEXT)


@dataclass(frozen=True, slots=True)
class Web:
    """A web process: serve `app`; when it has to stop, tell `connections`."""

    app: Starlette
    sockets: set[Connection]
    streams: set[Connection]


def release() -> str:
    """The version of the installed package, or of a checkout."""
    try:
        return version("tertulia")
    except PackageNotFoundError:
        return "0.1.0"


@asynccontextmanager
async def web(settings: Settings) -> AsyncGenerator[Web]:
    """A web process, ready to be served. Errors: those of `core`."""
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(core(settings))
        tokens = await stack.enter_async_context(_tokens(settings))
        engine = await stack.enter_async_context(reading.search_engine(settings, parts.database))
        hub = await stack.enter_async_context(_running_hub(parts))
        presence = await stack.enter_async_context(_running_presence(parts, hub))
        lists = Lists()
        queries = Queries(parts.reads, lists, parts.causal)
        do = commands(parts, lists)
        limits = replace(SOCKET_LIMITS, sockets=settings.most_sockets)
        chat = Chat(tokens, queries, Snapshots(parts.reads, lists), do.send, do.cancel, do.branching, limits)
        sockets, streams = ChatSocket(chat, hub, presence), EventStream(chat, queries, hub, presence)
        about = (parts.registry, parts.health, parts.default_provider, parts.allowances)
        routes = (
            SessionRoutes(tokens, *about, now, guests=settings.guests),
            CharacterRoutes(queries, do.characters),
            PortableRoutes(Exports(queries, parts.reads, parts.causal), do.bring_in),
            ConversationRoutes(queries, do.conversations, do.send, do.move),
            SearchRoutes(Search(engine, parts.reads, parts.causal), reading.direct_search(settings, engine)),
            AuditRoutes(Audit(parts.reads, parts.causal)),
            MessageRoutes(queries, do.branching),
            ReplyRoutes(queries, do.cancel, do.branching, do.results),
        )
        metrics = metrics_registry(_figures(parts, sockets, streams, hub), *collectors(parts))
        app = application(
            Parts(
                operations=[operation for room in routes for operation in room.operations()],
                tokens=tokens,
                limits=WriteLimits(settings.writes_per_second),
                socket=sockets,
                events=streams,
                canary=Canary(hub, parts.log, parts.database, parts.instance),
                page=Page(STATIC),
                metrics=metrics,
                version=release(),
            )
        )
        metrics.register(await stack.enter_async_context(_watched_lag(parts)))
        metrics.register(await stack.enter_async_context(_watched_depth(parts)))
        await stack.enter_async_context(_watched_tokens(sockets, streams))
        yield Web(app, sockets.connections, streams.connections)


def ensure_secret(settings: Settings) -> Settings:
    """The settings with a secret for tokens: the given one, or one that is kept in the data folder.

    Errors: `NotConfigured`, where what is kept there is none.
    """
    if settings.auth_secret is not None:
        return settings
    path = settings.data_dir / "secret"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _make_secret(path)
    secret = path.read_text()
    if len(secret) < SHORTEST_SECRET:
        raise NotConfigured(f"{path} holds no secret: delete it, or set CHAT_AUTH_SECRET.")
    return settings.model_copy(update={"auth_secret": SecretStr(secret)})


def _make_secret(path: Path) -> None:
    """Whole or not at all, and once: whoever finds the file, another process or the next run, finds a secret in it."""
    descriptor, draft = mkstemp(prefix="secret-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):  # another process was first
            os.link(draft, path)
    finally:
        Path(draft).unlink()


def _figures(
    parts: Core, sockets: ChatSocket, streams: EventStream, hub: Hub
) -> dict[str, tuple[str, Callable[[], float]]]:
    return {
        "sockets": ("Open sockets.", lambda: len(sockets.connections)),
        "event_streams": ("Open event streams.", lambda: len(streams.connections)),
        "topics": ("Conversations that this instance follows.", hub.topics),
        "events_delivered_total": ("Events handed to subscribers.", lambda: hub.delivered),
        "reads_elsewhere_total": (
            "Reads that no secondary answered in time, asked of the primary.",
            lambda: parts.causal.elsewhere,
        ),
    }


@asynccontextmanager
async def _tokens(settings: Settings) -> AsyncGenerator[Tokens]:
    secret = ensure_secret(settings).auth_secret
    assert secret is not None
    if settings.auth_jwks_url is None:
        yield Tokens(secret.get_secret_value())
        return
    async with httpx2.AsyncClient() as client:
        keys = KeySet(settings.auth_jwks_url, client)
        yield Tokens(secret.get_secret_value(), keys, settings.auth_audience, settings.auth_issuer)


@asynccontextmanager
async def _running_hub(parts: Core) -> AsyncGenerator[Hub]:
    hub = Hub(parts.log, parts.feed, DeltaMerger(), changes_admission=changes_admission)
    async with asyncio.TaskGroup() as group:
        tasks = hub.start(group)
        yield hub
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def _watched_lag(parts: Core) -> AsyncGenerator[Lag]:
    lag = Lag(reading.checkpoints(parts.settings, parts.database), reading.PROJECTIONS)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(lag.watch())
        yield lag
        await stopped([watching])


@asynccontextmanager
async def _watched_depth(parts: Core) -> AsyncGenerator[Depth]:
    depth = Depth(parts.queue, parts.registry.names)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(depth.watch())
        yield depth
        await stopped([watching])


@asynccontextmanager
async def _watched_tokens(sockets: ChatSocket, streams: EventStream) -> AsyncGenerator[None]:
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch(sockets.connections, streams.connections))
        yield
        watching.cancel()


@asynccontextmanager
async def _running_presence(parts: Core, hub: Hub) -> AsyncGenerator[Presence]:
    presence = Presence(parts.attendance, parts.instance)
    hub.on_notice = presence.heard
    async with asyncio.TaskGroup() as group:
        tasks = presence.start(group)
        yield presence
        for task in tasks:
            task.cancel()
    await presence.stop()
