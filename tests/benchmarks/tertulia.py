"""Our own processes under measurement: engines on the load's core, `web` and `worker` on the server's."""

import secrets
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from pymongo import AsyncMongoClient

from server.embedded.engines import EngineURLs
from tests.benchmarks.machine import LOAD_CORE, SERVER_CORE, on_core
from tests.benchmarks.processes import Process, module, running
from tests.support.engine_run import engine_run


@dataclass(frozen=True)
class Engines:
    """Running engines, and the folder for logs and data."""

    urls: EngineURLs
    folder: Path


@contextmanager
def engines(folder: Path) -> Generator[Engines]:
    """A real MongoDB and a real Valkey on the core of the load."""
    with on_core(LOAD_CORE):
        run = engine_run(folder / "engines", "mongodb", "valkey")
        running_engines = run.__enter__()
    try:
        yield Engines(running_engines.urls, folder)
    finally:
        run.__exit__(None, None, None)


class Tertulia:
    """Our processes, and one user with any number of conversations."""

    def __init__(
        self, engines: Engines, database: str, url: str, web: Process, worker: Process | None
    ) -> None:
        self.engines = engines
        self.url = url
        self.web = web
        self.worker = worker
        self.token = ""
        self.database = database

    @property
    def port(self) -> int:
        """Of the web process."""
        return int(self.url.rpartition(":")[2])

    @property
    def cpu(self) -> float:
        """Seconds of CPU of all our processes so far."""
        return self.web.cpu + (self.worker.cpu if self.worker else 0.0)

    async def conversations(self, count: int) -> list[str]:
        """The ids of so many conversations: one that was really made, and copies of its document."""
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False) as client:
            if not self.token:
                session = await client.post("/v1/session", json={"name": "Bench"})
                self.token = session.json()["token"]
            headers = {"Authorization": f"Bearer {self.token}"}
            created = await client.post("/v1/conversations", json={"title": "Bench"}, headers=headers)
        first = created.json()["id"]
        database: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(self.engines.urls.mongodb)
        async with database:
            collection = database[self.database]["conversations"]
            original = await collection.find_one({"_id": first})
            assert original
            ids = [f"cnv_{secrets.token_hex(16)}" for _ in range(count - 1)]
            if ids:
                await collection.insert_many([{**original, "_id": one} for one in ids])
        return [first, *ids]

    async def metric(self, name: str) -> float:
        """One of the web process's metrics, as it stands."""
        async with httpx2.AsyncClient(base_url=self.url, trust_env=False) as client:
            lines = (await client.get("/metrics")).text.splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(f"tertulia_{name}"))

    def greeting(self, conversation: str) -> list[str]:
        """What a client says to follow a conversation."""
        return [
            f'{{"type":"hello","token":"{self.token}"}}',
            f'{{"type":"subscribe","conversation":"{conversation}"}}',
        ]


@asynccontextmanager
async def tertulia(
    engines: Engines,
    model_url: str = "http://127.0.0.1:9/v1",
    *,
    worker: bool = False,
    settings: Mapping[str, str] | None = None,
) -> AsyncGenerator[Tertulia]:
    """A web process, and a worker where there is one to be measured, on a database of their own."""
    database = f"bench_{secrets.token_hex(4)}"
    environment = {
        "CHAT_PORT": "0",
        "CHAT_LOG": "json",
        "CHAT_DATA_DIR": str(engines.folder),
        "CHAT_MONGODB_URL": engines.urls.mongodb or "",
        "CHAT_MONGODB_DATABASE": database,
        "CHAT_REDIS_URL": engines.urls.redis or "",
        "OPENAI_BASE_URL": model_url,
        "OPENAI_API_KEY": "none",
        **(settings or {}),
    }
    async with AsyncExitStack() as stack:

        async def start(name: str) -> Process:
            program = running(
                module("server", name), core=SERVER_CORE, folder=engines.folder, environment=environment
            )
            return await stack.enter_async_context(program)

        web = await start("web")
        url = (await web.logged("listening"))["url"]
        working = await start("worker") if worker else None
        if working:
            await working.logged("working")
        yield Tertulia(engines, database, url, web, working)
