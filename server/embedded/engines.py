"""The embedded engines of one run, on one data folder."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from server.embedded.child import Child, Say
from server.embedded.data_dir import held
from server.embedded.engine import Engine
from server.embedded.model import model
from server.embedded.mongod import mongod
from server.embedded.running import EngineURLs, announced
from server.embedded.valkey import valkey


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which engines to start, where their data and logs live, and who is told how it goes."""

    data_dir: Path
    start_mongodb: bool
    start_valkey: bool
    start_model: bool
    say: Say


@asynccontextmanager
async def embedded(wanted: Wanted) -> AsyncGenerator[EngineURLs]:
    """Run the wanted engines, ready when the body begins, stopped when it is left.

    The data folder is held all the while, also when no engine is wanted. Raises `DataDirInUse`,
    `WheelMissing` or `ChildFailed`; whatever was started by then is stopped.
    """
    async with AsyncExitStack() as stack:
        # The folder is held for longer than anything in it runs.
        data_dir = stack.enter_context(held(wanted.data_dir))

        def chosen(start: bool, engine: Callable[[Path], Engine]) -> Engine | None:
            return engine(data_dir) if start else None

        database = chosen(wanted.start_mongodb, mongod)
        queue = chosen(wanted.start_valkey, valkey)
        language_model = chosen(wanted.start_model, model)
        children = [
            await stack.enter_async_context(Child(engine.program, wanted.say))
            for engine in (database, queue, language_model)
            if engine
        ]
        # All are starting by now: waiting for one after the other takes as long as for the slowest.
        for child in children:
            await child.wait_ready()
        urls = EngineURLs(
            mongodb=database and database.url,
            redis=queue and queue.url,
            model=language_model and language_model.url,
        )
        with announced(data_dir, urls):
            yield urls
