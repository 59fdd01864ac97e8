"""Another server: python-socketio on uvicorn, emitting to a room. Prints its port; takes `go COUNT INTERVAL`."""

import asyncio
import json
import socket
from typing import Any

import socketio
import uvicorn

from tests.benchmarks.children import commands, run, say
from tests.benchmarks.servers.pace import FRAME, paced

_ROOM = "conversation"
_DATA = json.loads(FRAME)


async def _main() -> None:
    sio: Any = socketio.AsyncServer(async_mode="asgi", logger=False, engineio_logger=False)

    @sio.event
    async def connect(sid: str, environ: dict[str, Any]) -> None:
        await sio.enter_room(sid, _ROOM)

    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    config = uvicorn.Config(
        socketio.ASGIApp(sio),
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_level="error",
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    say(port=listening.getsockname()[1])
    async for command in commands():
        await paced(command, lambda: sio.emit("d", _DATA, room=_ROOM))
    server.should_exit = server.force_exit = True
    await serving


if __name__ == "__main__":
    run(_main())
