"""A web process inside the tests' own, for what cannot be said by settings, or needs no process of its own."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn

from server import wiring
from server.settings import Settings
from server.web.heartbeat import beat
from server.web.lines import Lines
from server.web.ready_frames import ReadyFrames
from tests.support.house import House


def settings_of(house: House, folder: Path, **more: Any) -> Settings:
    """The settings of a house for an instance that keeps its own files elsewhere."""
    said = {
        "mongodb_url": house.mongodb_url,
        "mongodb_database": house.environment["CHAT_MONGODB_DATABASE"],
        "redis_url": house.redis_url,
        "openai_base_url": house.model.base_url,
        "data_dir": folder,
    }
    return Settings.model_validate(said | more)


@asynccontextmanager
async def serving(settings: Settings, heartbeat: float = 25.0, **more: Any) -> AsyncGenerator[str]:
    """Serve on a port that the system chooses; gives the base URL. `more` is uvicorn's."""
    more = {"ws_ping_interval": None, **more}
    async with wiring.web(settings) as web:
        server = uvicorn.Server(
            uvicorn.Config(
                web.app, port=0, http=Lines, ws=ReadyFrames, lifespan="off", log_config=None, **more
            )
        )
        # Not `serve`, which would take the signals of the tests for its own.
        task = asyncio.create_task(server._serve())
        beating = asyncio.create_task(beat(server.server_state.connections, heartbeat))
        while not server.started:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            beating.cancel()
            server.should_exit = True
            await task
