"""The reply job: claim, context, generate, save, tell.

    claim ── raises the attempt in the store and in the log: from here on an older worker can write neither
    context ─ what the model gets to see
    generate ─ the provider's deltas into the draft
    save ──── text, usage and end in one transaction, under the fence
    tell ──── the last event, then the job is done

A new feature is a stage before or after the provider, never another branch in here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import structlog

from providers.config import ProviderConfig
from providers.contract import Provider
from providers.errors import ProviderError, UnknownModel
from providers.registry import Registry
from realtime.errors import StaleWriter
from realtime.log.writer import DraftWriter, Publisher
from realtime.queue.contract import Job
from server.commands.announce import Announcer, draft_header, ending, reply_ended
from server.domain import wire
from server.domain.errors import ChatError, NotFound, StaleAttempt, Unavailable
from server.domain.events import ReplyCancelled, ReplyCompleted, ReplyEnded, ReplyFailed, ReplyStarted
from server.domain.reply import Reply
from server.queries.context import Contexts
from server.storage.event_store import EventStore
from server.storage.reads import Reads
from server.workers.generation import Generation, stopped_or_done

_log = structlog.get_logger(__name__)

_TELL_SECONDS = 10.0
_SAVE_SECONDS = 300.0
_SAVE_PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0)
_DEFAULT_WINDOW = 8192
_NO_MODEL = "unknown"


class ReplyJob:
    """Call `run` per job; it raises only what should bring the job to another worker."""

    def __init__(
        self,
        store: EventStore,
        reads: Reads,
        contexts: Contexts,
        registry: Registry,
        publisher: Publisher,
        announcer: Announcer,
        default_provider: str,
        worker: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._reads = reads
        self._contexts = contexts
        self._registry = registry
        self._publisher = publisher
        self._announcer = announcer
        self._default_provider = default_provider
        self._worker = worker
        self._clock = clock

    async def run(self, job: Job, stop: asyncio.Event) -> None:
        """Make the reply that a job names.

        Errors: `Unavailable`: it is left to another time; `StaleAttempt`, `StaleWriter`: it is in other hands now.
        """
        try:
            reply = await self._reads.reply(job.payload["reply"])
        except NotFound:
            _log.warning("job for a reply that does not exist", reply=job.payload["reply"])
            return
        if reply.ended:
            await self._tell_again(reply)
            return
        if reply.status == "running" and job.deliveries == 1:
            return  # queued twice; the other job has it
        await self._make(reply, stop)

    async def _make(self, reply: Reply, stop: asyncio.Event) -> None:
        name = reply.settings.provider or self._default_provider
        model = await self._model(reply, name)
        started, writer = await self._claim(reply, name, model)
        generation = Generation(reply, writer, self._clock, started)
        ended = await self._outcome(reply, name, model, writer, generation, stop)
        await self._save(ended)
        writer.close(reply_ended(ended).body())
        await self._in_time(writer.flush())

    async def _outcome(
        self,
        reply: Reply,
        name: str,
        model: str,
        writer: DraftWriter,
        generation: Generation,
        stop: asyncio.Event,
    ) -> ReplyEnded:
        """Generate; whatever happens is one of the three ends, but for a loss of the fence or of the store."""
        try:
            work = asyncio.create_task(self._generate(reply, name, model, writer, generation))
            stopped = await stopped_or_done(work, stop)
        except (StaleWriter, StaleAttempt, Unavailable):
            raise
        except (ProviderError, ChatError) as error:
            return ReplyFailed(**generation.ended(self._clock()), code=error.code, detail=error.detail)
        except Exception:  # noqa: BLE001 - the boundary of a job: a bug of ours ends one reply, not the worker
            _log.exception("a bug ended a reply", reply=reply.id)
            detail = "Something went wrong here; it has been noted."
            return ReplyFailed(**generation.ended(self._clock()), code="internal", detail=detail)
        common = generation.ended(self._clock())
        if stopped:
            return ReplyCancelled(**common)
        return ReplyCompleted(**common, cost=None, finish=generation.finish or "stop")

    async def _model(self, reply: Reply, provider: str) -> str:
        """What was chosen, else what the provider is configured with, else what it offers first.

        What goes wrong here goes wrong again in `_generate`, where it becomes the reply's end.
        """
        try:
            chosen = reply.settings.model or self._registry.config(provider).default_model
            return chosen or await _first_model(self._registry.get(provider))
        except ProviderError:
            return _NO_MODEL

    async def _claim(self, reply: Reply, provider: str, model: str) -> tuple[datetime, DraftWriter]:
        attempt = reply.attempt + 1
        started = ReplyStarted(
            conversation=reply.conversation,
            at=self._clock(),
            reply=reply.id,
            attempt=attempt,
            worker=self._worker,
            provider=provider,
            model=model,
        )
        await self._store.append([started], actor=self._worker)
        writer = self._publisher.writer(reply.conversation, reply.id, attempt)
        head: dict[str, Any] = {"conversation": reply.conversation, "reply": reply.id}
        header = draft_header(status="running", provider=provider, model=model)
        event = wire.ReplyStarted(**head, provider=provider, model=model, attempt=attempt)
        if attempt == 1:
            writer.open(event.body(), header)
        else:
            writer.open(wire.ReplyRestarted(**head, attempt=attempt, keep=0).body(), header)
            writer.event(event.body())
        return started.at, writer

    async def _generate(
        self, reply: Reply, name: str, model: str, writer: DraftWriter, generation: Generation
    ) -> None:
        provider, config = self._registry.get(name), self._registry.config(name)
        if model == _NO_MODEL:
            model = await _first_model(provider)
        self._progress(reply, writer, "context")
        window = _window(reply, config)
        context = await self._contexts(reply, model, window)
        left_out = f"{context.left_out} older messages left out" if context.left_out else None
        self._progress(reply, writer, "waiting", left_out)
        await generation.run(provider, context.prompt)

    def _progress(self, reply: Reply, writer: DraftWriter, stage: str, detail: str | None = None) -> None:
        event = wire.ReplyProgress(
            conversation=reply.conversation, reply=reply.id, stage=stage, detail=detail
        )
        writer.event(event.body())

    async def _save(self, ended: ReplyEnded) -> None:
        """Store the end, however long the database is away: what was generated is not paid for twice."""
        deadline = asyncio.get_running_loop().time() + _SAVE_SECONDS
        failures = 0
        while True:
            try:
                await self._store.append([ended], actor=self._worker)
            except Unavailable:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                pause = _SAVE_PAUSES[min(failures, len(_SAVE_PAUSES) - 1)]
                failures += 1
                _log.warning("cannot save yet", reply=ended.reply, retry_in=pause)
                await asyncio.sleep(pause)
            else:
                return

    async def _tell_again(self, reply: Reply) -> None:
        """A worker died between the end and its telling: the clients may still be waiting."""
        async for stored in self._store.replay(reply.conversation):
            if isinstance(stored.event, ReplyEnded) and stored.event.reply == reply.id:
                await self._announcer.publish(reply.conversation, [ending(stored.event)])

    async def _in_time(self, telling: Awaitable[None]) -> None:
        """Bounded: when the log is away, the publisher goes on trying, and snapshots show what is stored."""
        try:
            async with asyncio.timeout(_TELL_SECONDS):
                await telling
        except TimeoutError:
            _log.warning("the end is stored and not yet told")


def _window(reply: Reply, config: ProviderConfig) -> int:
    offered = config.context_window or _DEFAULT_WINDOW
    return min(reply.settings.context_window or offered, offered)


async def _first_model(provider: Provider) -> str:
    """For a provider that is configured without a model: whatever it has loaded."""
    models = await provider.models()
    if not models:
        raise UnknownModel(f"{provider.name} offers no model now.")
    return models[0]
