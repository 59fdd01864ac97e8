"""`python -m tests.support.other_server NAME PORT`: the application on a server that knows nothing of its extensions.

The settings come from the environment, as an operator gives them. It serves until it is told to stop.
"""

import asyncio
import signal
import sys
from typing import Any

import hypercorn.asyncio
import hypercorn.config
import uvicorn
from granian.constants import Interfaces
from granian.server.embed import Server as Granian

from server import wiring
from server.settings import Settings


async def _uvicorn(app: Any, port: int, stopping: asyncio.Event) -> None:
    config = uvicorn.Config(app, port=port, ws="websockets-sansio", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    await stopping.wait()
    server.should_exit = server.force_exit = True
    await serving


async def _hypercorn(app: Any, port: int, stopping: asyncio.Event) -> None:
    config = hypercorn.config.Config()
    config.bind, config.graceful_timeout = [f"127.0.0.1:{port}"], 1.0
    await hypercorn.asyncio.serve(app, config, shutdown_trigger=stopping.wait, mode="asgi")


async def _granian(app: Any, port: int, stopping: asyncio.Event) -> None:
    server = Granian(app, port=port, interface=Interfaces.ASGINL, log_enabled=False)
    serving = asyncio.create_task(server.serve())
    await stopping.wait()
    server.stop()
    await serving


SERVERS = {"uvicorn": _uvicorn, "hypercorn": _hypercorn, "granian": _granian}


async def _main(name: str, port: int) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with wiring.web(Settings()) as web:
        await SERVERS[name](web.app, port, stopping)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
