"""What all engines on Redis or Valkey share: how to connect, how to run scripts, and which errors mean that it is away.

The address says what stands there: `redis://`, `rediss://` and `unix://` one server, `redis+sentinel://` whichever
server the sentinels call the primary, `redis+cluster://` a cluster (both with `rediss+…` for TLS).
"""

import asyncio
import hashlib
import re
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import (
    NoScriptError,
    RedisClusterException,
    RedisError,
    ResponseError,
    SlotNotCoveredError,
)

from realtime.errors import Unavailable

_log = structlog.get_logger(__name__)

ANSWER_SECONDS = 5.0
"""How long an engine may take to answer, or to let go of a connection for one more command."""

WHOLE_SECONDS = 2 * ANSWER_SECONDS
"""How long a call may take, with all that it waits for."""

Client = Redis | RedisCluster

_CONNECTIONS = 64
_LOOK_SECONDS = 1.0
_AWAY = frozenset(
    ["BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "READONLY", "TRYAGAIN"]
)
_ERRORS = (RedisError, RedisClusterException, OSError, TimeoutError)
_SCRIPTED = ("EVAL", "EVALSHA")
_PORT = 6379
_ADDRESS = re.compile(
    r"(?P<tls>rediss?)\+(?P<kind>sentinel|cluster)://"
    r"(?:(?P<user>[^:@/]*)(?::(?P<password>[^@/]*))?@)?(?P<hosts>[^/@]+)(?:/(?P<path>.*))?"
)


@asynccontextmanager
async def translated_errors() -> AsyncGenerator[None]:
    """Turn "it is away" into `Unavailable`, time limits included. An error that it answered is a bug: it passes."""
    try:
        yield
    except _ERRORS as error:
        told = translated(error)
        if told is error:
            raise
        raise told from error


def translated(error: BaseException) -> BaseException:
    """The same for an error that stands in the place of an answer."""
    if isinstance(error, ResponseError):
        # It is there, and cannot now: it still reads its file, has no room, or another was promoted in its stead.
        code = error.status_code or str(error).partition(" ")[0]
        return Unavailable(f"redis: {code} {error}") if code in _AWAY else error
    return Unavailable(f"redis: {type(error).__name__}") if isinstance(error, _ERRORS) else error


class Script:
    """Lua files, one after the other. One that changes is another script: it is known by what is in it."""

    def __init__(self, *paths: Path) -> None:
        self.text = "\n".join(path.read_text() for path in paths)
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


Call = tuple[Sequence[str], Sequence[str | int | bytes]]
"""The keys of a script's call, all of one slot, and its arguments."""


Command = Sequence[str | int | bytes]


async def run(client: Client, script: Script, calls: Sequence[Call]) -> list[Any]:
    """Run a script so many times: in one round trip on one server, side by side on a cluster.

    Errors: the first that any of them had, once all are done.
    """
    replies = await run_each(client, script, calls)
    for reply in replies:
        if isinstance(reply, BaseException):
            raise reply
    return replies


async def run_each(client: Client, script: Script, calls: Sequence[Call]) -> list[Any]:
    """The same; an error stands in the place of its answer."""
    replies = await each(client, [command(script, call) for call in calls])
    missing = [n for n, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if missing:
        # A call whose script is unknown has written nothing, so it may be run again: with its text, which the server
        # cannot have forgotten once more by then.
        again: list[Any]
        try:
            again = await each(client, [command(script, calls[n], with_text=True) for n in missing])
        except _ERRORS as error:  # the other calls of the same round may well have been answered
            again = [error] * len(missing)
        for n, reply in zip(missing, again, strict=True):
            replies[n] = reply
    return replies


async def each(client: Client, commands: Sequence[Command]) -> list[Any]:
    """Run commands of one key each, likewise. An error stands in the place of its answer."""
    if isinstance(client, RedisCluster):
        return await _side_by_side(client, commands)
    # Each step has its own limit, and a lost connection another try: a server that only is silent would have them all.
    async with asyncio.timeout(WHOLE_SECONDS):
        if len(commands) == 1:  # which is usual, and cheaper than a pipeline of one
            try:
                return [await cast("Any", client).execute_command(*commands[0])]
            except ResponseError as error:
                return [error]
        async with client.pipeline(transaction=False) as pipe:
            for command in commands:
                cast("Any", pipe).execute_command(*command)
            return await pipe.execute(raise_on_error=False)


async def _side_by_side(cluster: RedisCluster, commands: Sequence[Command]) -> list[Any]:
    """Those of one key one after the other."""
    answers: list[Any] = [None] * len(commands)
    chains: dict[object, list[int]] = {}
    for n, command in enumerate(commands):
        chains.setdefault(command[3] if command[0] in _SCRIPTED else command[1], []).append(n)

    async def work_off(chain: list[int]) -> None:
        for n in chain:
            try:
                # It may wait inside itself, for a server that it has lost, longer than any socket of its would.
                async with asyncio.timeout(ANSWER_SECONDS):
                    answers[n] = await cast("Awaitable[Any]", cluster.execute_command(*commands[n]))
            except (RedisError, RedisClusterException, OSError, TimeoutError) as error:
                answers[n] = error

    await asyncio.gather(*map(work_off, chains.values()))
    return answers


def command(script: Script, call: Call, *, with_text: bool = False) -> Command:
    """One call of a script, for `each`; without its text a server that does not know it answers `NoScriptError`."""
    keys, arguments = call
    named = ("EVAL", script.text) if with_text else ("EVALSHA", script.sha)
    return (*named, len(keys), *keys, *arguments)


def publishing(client: Client) -> str:
    """The command that publishes: on a cluster a message stays on the shard of its channel."""
    return "SPUBLISH" if isinstance(client, RedisCluster) else "PUBLISH"


def house_channel(client: Client, name: str) -> str:
    """A channel of one house: pub/sub knows no databases, so the number of ours is in its name.

    For channels that every house has; one that carries an id of its own is nobody else's anyway.
    """
    pool: Any = getattr(client, "connection_pool", None)  # a cluster has none, and one database
    return f"{name}:{int(pool.connection_kwargs.get('db') or 0) if pool is not None else 0}"


@asynccontextmanager
async def command_client(url: str) -> AsyncGenerator[Client]:
    """A client for commands and scripts: answers within 5 s, a dropped connection is tried again once, and that is all.

    More commands at once than connections wait for one another: a crowd that comes back makes no error.
    """
    limits: dict[str, Any] = {
        "socket_timeout": ANSWER_SECONDS,
        "socket_connect_timeout": ANSWER_SECONDS,
        "health_check_interval": 15,
        "max_connections": _CONNECTIONS,
    }
    async with _connected(url, limits, retries=1) as client:
        yield client


@asynccontextmanager
async def subscription_client(url: str) -> AsyncGenerator[Client]:
    """A client for pub/sub: waits for ever, and says at once when its connection is lost instead of mending it."""
    limits = {"socket_timeout": None, "socket_connect_timeout": ANSWER_SECONDS, "max_connections": 256}
    async with _connected(url, limits, retries=0) as client:
        yield client


@asynccontextmanager
async def _connected(url: str, limits: dict[str, Any], retries: int) -> AsyncGenerator[Client]:
    retry = Retry(NoBackoff(), retries)
    parts = _ADDRESS.fullmatch(url)
    if parts is None:
        pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]: redis-py leaves its **kwargs untyped
            url, timeout=ANSWER_SECONDS, retry=retry, **limits
        )
        pool.connection_class = telling(pool.connection_class)
        async with Redis.from_pool(pool) as client:
            yield client
        return
    who = {name: unquote(parts[name]) for name in ("user", "password") if parts[name]}
    login: dict[str, Any] = {"username": who.get("user"), "password": who.get("password")}
    tls = {"ssl": True} if parts["tls"] == "rediss" else {}
    hosts = [_host(one) for one in parts["hosts"].split(",")]
    if parts["kind"] == "cluster":
        nodes = [ClusterNode(host, port) for host, port in hosts]
        # A command that finds its server gone asks the others who has its slots now, and is sent again.
        how: Any = {**limits, **login, **tls}
        # It mends its map slot by slot. By itself it would close all connections with every fifth command that is sent
        # elsewhere: others' commands on them were done already, and would be sent again.
        how |= {"reinitialize_steps": 0}
        # It connects with its first command: a cluster that is away at the beginning is an engine that is away.
        client = _PatientCluster(startup_nodes=nodes, **how)
        kind: Any = telling(client.connection_kwargs["connection_class"])
        client.connection_kwargs["connection_class"] = kind
        for node in client.nodes_manager.startup_nodes.values():
            node.connection_class = kind
        try:
            yield client
        finally:
            await client.aclose()
        return
    service, _, number = (parts["path"] or "mymaster").partition("/")
    sentinel: Any = Sentinel(
        hosts,
        sentinel_kwargs={
            "socket_timeout": 1.0,
            "socket_connect_timeout": 1.0,
            "retry": Retry(NoBackoff(), 0),
            **tls,
        },
    )
    # The login is the primary's, not the sentinels', who have no data to keep from anybody.
    how = {"timeout": ANSWER_SECONDS, "retry": retry, "db": int(number or 0), **limits, **login, **tls}
    primary = _PrimaryPool(service, sentinel, **how)
    primary.connection_class = telling(primary.connection_class)
    async with Redis.from_pool(primary) as client:
        watching = asyncio.create_task(primary.watch())
        try:
            yield client
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            for one in sentinel.sentinels:
                await one.aclose()


def telling(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """The same kind of connection, to which a socket that closed under its hands is a lost connection.

    uvloop says `RuntimeError` then, and redis-py stumbles over what another task has put away as it gave the server up.
    Both let that pass: it would end whoever asked, the whole process with it, and is no bug of theirs.
    """

    class Telling(kind):
        async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
            task = asyncio.current_task()
            before = task.cancelling() if task is not None else 0
            try:
                await super().send_packed_command(command, check_health)
            except (RuntimeError, AttributeError) as error:
                raise _lost(error) from error
            if task is not None and task.cancelling() > before:
                # `asyncio.wait_for`, with which the driver sends, keeps a cancellation to itself that comes as it ends
                # (Python 3.11, bpo-37658). Whoever was cancelled would go on, and whoever waits for it would for ever.
                await self.disconnect(nowait=True)  # the answer would be read by somebody else
                raise asyncio.CancelledError

        async def read_response(self, *args: Any, **options: Any) -> Any:
            try:
                return await cast("Awaitable[Any]", super().read_response(*args, **options))
            except (RuntimeError, AttributeError) as error:
                raise _lost(error) from error

    return Telling


def _lost(error: Exception) -> Exception:
    """What it is to be taken for: a lost connection, or, where it is nothing of the kind, itself."""
    put_away = isinstance(error, KeyError) or getattr(error, "obj", error) is None
    return (
        ConnectionLost("the connection closed under a command")
        if put_away or "closed" in str(error)
        else error
    )


class _PatientCluster(RedisCluster):
    """More commands at once than connections wait for one another, as before one server; the rest are for its map."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)  # pyright: ignore[reportUnknownMemberType]: redis-py leaves one of its types open
        self._gates: defaultdict[str, asyncio.Semaphore] = defaultdict(_gate)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        # A gate for each server: one that is away keeps nobody waiting who asks another.
        async with self._gates[self._asked(args)]:
            try:
                return await super().execute_command(*args, **options)
            except (AttributeError, KeyError) as error:  # a server, or a slot, that its map has no more
                raise _lost(error) from error

    def _asked(self, command: Sequence[Any]) -> str:
        key = command[3] if command[0] == "EVALSHA" else command[min(1, len(command) - 1)]
        try:
            node = self.get_node_from_key(key)
        except SlotNotCoveredError:  # it has no map yet, or none that says
            return ""
        return node.name if node else ""


def _gate() -> asyncio.Semaphore:
    return asyncio.Semaphore(_CONNECTIONS - 8)


class _PrimaryPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to whichever server the sentinels call the primary; who finds none free waits.

    One that was thought dead and is not takes itself for the primary until the sentinels come to it, some ten seconds
    later. What is written there until then is lost, and what is heard there is no longer so: nobody may stay.
    """

    async def watch(self) -> None:
        """Ask who is the primary, again and again: on a connection that works nobody else would."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            with suppress(RedisError, OSError, TimeoutError):  # also while none is chosen
                await self.get_master_address()

    async def get_master_address(self) -> tuple[str, int]:
        before = cast("Any", self).master_address
        address = cast("tuple[str, int]", await super().get_master_address())
        if before not in (None, address):
            _log.info("another server is the primary now")
            with suppress(RedisError, OSError, TimeoutError):
                await self.disconnect()  # those in use as well
        return address


def _host(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":") if ":" in address else (address, "", "")
    return host, int(port or _PORT)
