"""A worker process: what claims jobs, and what runs beside it."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from providers.chain import Link
from providers.tokens import warm
from realtime.log.writer import Publisher
from server.commands.line import Line
from server.enrichment import enricher
from server.queries.context import Contexts
from server.sagas.reply.accounts import Accounts
from server.sagas.reply.ends import Ends
from server.settings import Settings
from server.storage.abandoned import Abandoned
from server.storage.database import stopped
from server.storage.summaries import Summaries
from server.telemetry import metrics_registry
from server.wiring import reading
from server.wiring.core import Core, collectors, core, now
from server.wiring.providers import summary_link
from server.workers.answering import Answering
from server.workers.reply import ReplyJob
from server.workers.runner import Rules, Runner
from server.workers.summing import Summing
from server.workers.sweeper import Sweeper
from server.workers.waiting_line import WaitingLine


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process: run `runner`; `metrics` is what it can say of itself."""

    runner: Runner
    metrics: CollectorRegistry


@asynccontextmanager
async def worker(settings: Settings) -> AsyncGenerator[Worker]:
    """A worker process, ready to run. Errors: those of `core`."""
    async with core(settings) as parts, reading.search_engine(settings, parts.database) as engine:
        publisher = Publisher(parts.log)
        turns = Line(parts.reads, parts.store, parts.announcer)
        link = summary_link(settings, list(parts.registry.configs))
        summaries = Summaries() if link is not None else None
        summing = _summing(parts, link) if link is not None else None
        contexts = Contexts(parts.reads, parts.cache, summaries)
        accounts = Accounts(parts.registry.configs, contexts)
        ends = Ends(parts.store, parts.log, parts.announcer, turns, accounts, now, parts.instance)
        answering = Answering(
            parts.registry,
            parts.health,
            contexts,
            parts.fallbacks,
            settings.on_break,
        )
        await asyncio.to_thread(warm, parts.registry.configs)
        job = ReplyJob(
            parts.store,
            parts.reads,
            answering,
            publisher,
            parts.queue,
            parts.announcer,
            ends,
            turns,
            parts.default_provider,
            parts.instance,
            settings.reply_seconds,
            now,
            summing.after if summing is not None else lambda reply, context: None,
        )
        rules = Rules(settings.worker_concurrency, settings.lease_seconds, deliveries=settings.job_deliveries)
        lanes = parts.registry.names
        runner = Runner(parts.queue, parts.signals, parts.reads, job, parts.instance, lanes, rules)
        sweeper = _sweeper(parts, ends, turns)
        line = WaitingLine(parts.queue, parts.log, parts.leases, parts.instance, lambda: lanes)
        abandoned = Abandoned(parts.database, settings.lease_seconds / 2)
        following = reading.followers(settings, parts.database, engine, parts.instance, parts.log)
        async with asyncio.TaskGroup() as group:
            working = (publisher, sweeper, line, abandoned, *following, *([summing] if summing else ()))
            beside = [group.create_task(work.run()) for work in working]
            beside.append(group.create_task(asyncio.to_thread(enricher.warm)))
            summed = summing.counts if summing else Counter[str]()
            figures = _figures(runner, sweeper, publisher, summed, engine.counts)
            yield Worker(runner, metrics_registry(figures, *collectors(parts)))
            await stopped(beside)


def _summing(parts: Core, link: Link) -> Summing:
    return Summing(
        parts.reads, Summaries(), parts.registry, parts.health, parts.leases, parts.instance, link, now
    )


def _sweeper(parts: Core, ends: Ends, turns: Line) -> Sweeper:
    return Sweeper(
        parts.store,
        parts.reads,
        parts.queue,
        parts.leases,
        parts.allowances,
        parts.announcer,
        ends,
        turns,
        parts.instance,
        now,
    )


def _figures(
    runner: Runner, sweeper: Sweeper, publisher: Publisher, summed: Counter[str], indexed: Counter[str]
) -> dict[str, tuple[str, Callable[[], float]]]:
    counted = {
        "finished": "Jobs that were done.",
        "taken_over": "Jobs that another worker had before, or that were tried before.",
        "refused": "Jobs whose writes were refused, because a newer attempt has the reply.",
        "lost": "Jobs that were stopped, because their lease was lost.",
        "tried_again": "Jobs that were given back, to be tried again.",
        "given_up": "Jobs that were given up.",
    }
    mended = {
        "queued_again": "Replies that the queue did not have.",
        "deadline_exceeded": "Replies past their deadline.",
        "provider_unknown": "Replies whose provider no worker has.",
    }
    summaries = {
        "made": "Summaries of what fell out of a window.",
        "failed": "Summaries that were not made, and are tried again with the conversation's next reply.",
        "dropped": "Conversations that were not looked at, because too many waited.",
    }
    searching = {
        "left_out": "Messages that the search engine does not take: they cannot be found.",
        "failed": "Tasks of the search engine that failed.",
    }
    figures: dict[str, tuple[str, Callable[[], float]]] = {
        "replies_in_hand": ("Replies that are being made.", lambda: runner.active),
        "appends_refused_total": ("Appends to a log by an older attempt.", lambda: publisher.refused),
    }
    for name, description in counted.items():
        figures[f"jobs_{name}_total"] = (description, lambda name=name: runner.counts[name])
    for name, description in mended.items():
        figures[f"mended_{name}_total"] = (description, lambda name=name: sweeper.counts[name])
    for name, description in summaries.items():
        figures[f"summaries_{name}_total"] = (description, lambda name=name: summed[name])
    for name, description in searching.items():
        figures[f"search_{name}_total"] = (description, lambda name=name: indexed[name])
    return figures
