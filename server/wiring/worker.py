"""A worker process: what claims jobs, and what runs beside it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from realtime.log.writer import Publisher
from server.queries.context import Contexts
from server.settings import Settings
from server.wiring import reading
from server.wiring.core import core, now
from server.workers.reply import ReplyJob
from server.workers.runner import Runner
from server.workers.sweeper import Sweeper


@asynccontextmanager
async def worker(settings: Settings) -> AsyncGenerator[Runner]:
    """A worker process, ready to run. Errors: those of `core`."""
    async with core(settings) as parts:
        publisher = Publisher(parts.log)
        job = ReplyJob(
            parts.store,
            parts.reads,
            Contexts(parts.reads),
            parts.registry,
            publisher,
            parts.announcer,
            parts.default_provider,
            parts.instance,
            now,
        )
        runner = Runner(
            parts.queue, parts.signals, parts.reads, job.run, parts.instance, settings.worker_concurrency
        )
        sweeper = Sweeper(parts.store, parts.reads, parts.writes, parts.queue, parts.announcer, now)
        engine = reading.search_engine(settings, parts.database)
        following = reading.followers(settings, parts.database, engine, parts.instance)
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(publisher.run()), group.create_task(sweeper.run())]
            beside += [group.create_task(follower.run()) for follower in following]
            yield runner
            for task in beside:
                task.cancel()
