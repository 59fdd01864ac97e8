"""The reply job: the steps of `server.sagas.reply.steps`, done by one worker.

    validate ─ has it ended, is it to be stopped, is its time over; and how far did somebody else come
    claim ──── raises the attempt in the store, then in the log: from here on an older worker can write neither.
               The model is asked meanwhile; the first delta waits for the commit
    context ── what the model gets to see
    generate ─ the provider's deltas into the draft
    save ───── text, usage and end in one transaction, under the fence; before it, the whole is left with the job
    tell ───── the last event; then the conversation's next reply has its turn, and the job is done

A new feature is a stage before or after the provider, never another branch in here.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

import structlog

from providers.errors import ProviderError
from realtime.errors import StaleWriter
from realtime.errors import Unavailable as EngineAway
from realtime.log.writer import DraftWriter, Publisher
from realtime.queue.contract import Job, Queue
from server.commands.announce import Announcer, draft_header, ending, reply_ended
from server.commands.line import Line
from server.domain import wire
from server.domain.errors import ChatError, NotFound, StaleAttempt, Unavailable
from server.domain.events import (
    Event,
    ReplyCancelled,
    ReplyCompleted,
    ReplyEnded,
    ReplyFailed,
    ReplyRestarted,
    ReplyStarted,
)
from server.domain.reply import Reply
from server.queries.context import Context, Told
from server.sagas.reply.ends import Ends, closing
from server.sagas.reply.limits import TooLate, within
from server.sagas.reply.steps import (
    DEADLINE,
    GIVEN_UP,
    LIMITS,
    Resume,
    Step,
    deadline,
    note,
    overdue,
    resume,
)
from server.storage.cause import caused_by
from server.storage.event_store import EventStore
from server.storage.reads import Reads
from server.workers.answering import Answering
from server.workers.generation import Generation, stopped_or_done
from server.workers.passages import answer_of, undisturbed

_log = structlog.get_logger(__name__)

After: TypeAlias = Callable[[Reply, Context], None]
"""What is done when a reply has ended that a model was asked for; it must not wait, nor raise."""

_NOTE_SECONDS = 1.0
_WAY_SECONDS = 0.005
"""What it takes to send a prompt. No model answers sooner; whoever else is about to be asked comes before the claim."""
_SAVE_PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0)


@dataclass(slots=True)
class _Making:
    """One attempt at one reply."""

    reply: Reply
    job: Job
    started: ReplyStarted
    writer: DraftWriter
    generation: Generation
    told: asyncio.Task[Told]
    """What it answers, and what came before: read since the job was claimed."""
    claimed: int = 0
    """The conversation's version with this attempt."""
    step: Step = Step.VALIDATED
    context: Context | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """The model is about to be asked, or will not be."""


class ReplyJob:
    """Call `run` per job; it raises only what should bring the job to another worker."""

    def __init__(
        self,
        store: EventStore,
        reads: Reads,
        answering: Answering,
        publisher: Publisher,
        queue: Queue,
        announcer: Announcer,
        ends: Ends,
        line: Line,
        default_provider: str,
        worker: str,
        reply_seconds: float,
        clock: Callable[[], datetime],
        after: After,
    ) -> None:
        self._store = store
        self._reads = reads
        self._answering = answering
        self._publisher = publisher
        self._queue = queue
        self._announcer = announcer
        self._ends = ends
        self._line = line
        self._default_provider = default_provider
        self._worker = worker
        self._reply_seconds = reply_seconds
        self._clock = clock
        self._after = after

    async def run(self, job: Job, stop: asyncio.Event) -> None:
        """Make the reply that a job names.

        Errors: `Unavailable`: it is left to another time; `StaleAttempt`, `StaleWriter`: it is in other hands now.
        """
        told = asyncio.create_task(self._answering.told(job))
        try:
            await self._run(job, stop, told)
        finally:
            told.cancel()
            await asyncio.gather(told, return_exceptions=True)

    async def _run(self, job: Job, stop: asyncio.Event, told: asyncio.Task[Told]) -> None:
        try:
            async with within(Step.VALIDATED):
                reply = await self._validated(job)
                draft = await self._ends.draft(reply) if reply is not None else ""
        except TooLate as error:
            raise Unavailable("The database") from error
        if reply is not None:
            with caused_by(reply.correlation, reply.cause):
                others_wait = await self._make(reply, job, resume(reply, job.note, draft), stop, told)
            if others_wait:
                await self._line.advance(reply.conversation)

    async def give_up(self, job: Job) -> None:
        """It was tried too often: end it, so that nobody waits. Errors: `Unavailable`."""
        try:
            reply = await self._reads.reply(job.id)
        except NotFound:
            return
        if reply.ended:
            await self._tell_again(reply)
            return
        detail = "It was tried several times, and each time the worker that had it died or failed."
        await self._ends.fail(reply, GIVEN_UP, detail)

    async def _validated(self, job: Job) -> Reply | None:
        """The reply, if there is anything to be done about it."""
        try:
            reply = await self._reads.reply(job.id)
        except NotFound:
            _log.warning("job for a reply that does not exist", reply=job.id)
            return None
        if reply.ended:
            await self._tell_again(reply)
            return None
        if reply.cancel_requested:
            await self._ends.cancel(reply)
            return None
        if overdue(reply, self._clock()):
            await self._ends.fail(reply, DEADLINE, _too_late(reply.step))
            return None
        return reply

    async def _make(
        self, reply: Reply, job: Job, point: Resume, stop: asyncio.Event, told: asyncio.Task[Told]
    ) -> bool:
        """Returns whether the conversation owes another reply after this one."""
        name = reply.settings.provider or self._default_provider
        now = self._clock()
        started = ReplyStarted(
            conversation=reply.conversation,
            at=now,
            reply=reply.id,
            attempt=reply.attempt + 1,
            worker=self._worker,
            provider=name,
            model=await self._answering.model(reply, name),
            deadline=deadline(reply, now, self._reply_seconds),
        )
        writer = self._publisher.writer(reply.conversation, reply.id, started.attempt, point.kept, held=True)
        known = self._answering.known(reply) if point.kept else None
        generation = Generation(reply, writer, self._clock, now, point.kept, known)
        making = _Making(reply, job, started, writer, generation, told)
        claim = asyncio.create_task(self._claim(making, len(point.kept)))
        try:
            ended = await self._outcome(making, point, claim, stop)
            making.ready.set()
            await claim
            others_wait = await self._finish(making, ended)
            if making.context is not None:
                self._after(reply, making.context)
            return others_wait
        finally:
            claim.cancel()
            await asyncio.gather(claim, return_exceptions=True)

    async def _claim(self, making: _Making, keep: int) -> None:
        """Commit, then take over the draft; what was written to it meanwhile is told after that.

        It keeps out of the way until the model is asked: that takes long enough, and somebody waits for it.
        """
        started, writer = making.started, making.writer
        await making.ready.wait()
        await asyncio.sleep(_WAY_SECONDS)
        head: dict[str, Any] = {"conversation": started.conversation, "reply": started.reply}
        taken: list[Event] = [started]
        if started.attempt > 1:
            taken.insert(0, ReplyRestarted(**head, at=started.at, attempt=started.attempt, keep=keep))
        making.claimed = await self._store.append(taken, actor=self._worker)
        header = draft_header(status="running", provider=started.provider, model=started.model)
        event = wire.ReplyStarted(
            **head, provider=started.provider, model=started.model, attempt=started.attempt
        ).body()
        if started.attempt == 1:
            writer.open(event, header)
        else:
            restarted = wire.ReplyRestarted(**head, attempt=started.attempt, keep=keep)
            writer.open(restarted.body(), header, event)

    async def _outcome(
        self, making: _Making, point: Resume, claim: asyncio.Task[None], stop: asyncio.Event
    ) -> ReplyEnded:
        """Generate; whatever happens is one of the three ends, but for a loss of the fence or of the store."""
        if point.whole is not None:
            return point.whole.model_copy(update={"attempt": making.started.attempt, "at": self._clock()})
        ended, clock = making.generation.ended, self._clock
        left = (making.started.deadline or clock()) - clock()
        try:
            async with within(Step.GENERATING, left.total_seconds()):
                work = asyncio.create_task(_alongside(claim, self._generate(making, point)))
                stopped = await stopped_or_done(work, stop)
        except (StaleWriter, StaleAttempt, Unavailable):
            raise
        except TooLate as error:
            detail = _too_late(error.step)
            return ReplyFailed(**ended(clock()), code=DEADLINE, detail=detail, step=making.step)
        except (ProviderError, ChatError) as error:
            return ReplyFailed(**ended(clock()), code=error.code, detail=error.detail, step=making.step)
        except Exception:  # noqa: BLE001 - the boundary of a job: a bug of ours ends one reply, not the worker
            _log.exception("a bug ended a reply", reply=making.reply.id)
            detail = "Something went wrong here; it has been noted."
            return ReplyFailed(**ended(clock()), code="internal", detail=detail, step=making.step)
        if stopped:
            return ReplyCancelled(**ended(clock()))
        return ReplyCompleted(**ended(clock()), finish=making.generation.finish or "stop")

    async def _generate(self, making: _Making, point: Resume) -> None:
        reply, writer, asked = making.reply, making.writer, (making.started.provider, making.started.model)
        making.step = Step.CONTEXT
        self._progress(reply, writer, "context")
        async with within(Step.CONTEXT):
            context = await self._answering.context(reply, *asked, await making.told)
        making.context = context
        self._progress(reply, writer, "waiting", context)
        making.step = Step.GENERATING
        making.ready.set()
        await making.generation.run(
            self._answering.chain(reply, *asked), replace(context.prompt, kept=point.kept)
        )

    def _progress(
        self, reply: Reply, writer: DraftWriter, stage: str, context: Context | None = None
    ) -> None:
        left_out = (context.left_out if context else 0) or None
        summarized = (context.summarized if context else 0) or None
        detail = f"{left_out} older messages left out" if left_out else None
        if summarized:
            detail = f"{detail}, {summarized} of them summed up"
        event = wire.ReplyProgress(
            conversation=reply.conversation,
            reply=reply.id,
            stage=stage,
            detail=detail,
            left_out=left_out,
            summarized=summarized,
        )
        writer.event(event.body())

    async def _finish(self, making: _Making, ended: ReplyEnded) -> bool:
        if isinstance(ended, ReplyCompleted):
            await self._leave_word(making.job, ended)
        events = closing(making.reply, ended, making.started.provider, making.started.model)
        version, others_wait = await self._save(ended, events)
        making.writer.close(reply_ended(ended).body())
        try:
            async with within(Step.COMPLETED):
                await making.writer.flush()
        except TooLate:
            # The publisher goes on trying, and snapshots show what is stored.
            _log.warning("the end is stored and not yet told", reply=ended.reply)
        await self._keep(making, ended, version, version - len(events))
        return others_wait

    async def _keep(self, making: _Making, ended: ReplyEnded, version: int, followed: int) -> None:
        """For the next reply: what this one was made of, and its own text, if nothing else has happened meanwhile."""
        if making.context is None:
            return
        told = await making.told
        if undisturbed(told, ended.reply, making.claimed, followed):
            answer = answer_of(making.job.payload, making.reply, ended)
            await self._answering.answered(told, ended.conversation, version, answer)

    async def _leave_word(self, job: Job, whole: ReplyCompleted) -> None:
        """From here on whoever takes over saves this, and does not ask the model."""
        try:
            async with asyncio.timeout(_NOTE_SECONDS):
                await self._queue.note(self._worker, job, note(whole))
        except (EngineAway, TimeoutError) as error:
            _log.warning("the queue is away: the whole is only here", reply=job.id, error=repr(error))

    async def _save(self, ended: ReplyEnded, events: Sequence[Event]) -> tuple[int, bool]:
        """Store the end, however long the database is away: what was generated is not paid for twice."""
        until = asyncio.get_running_loop().time() + LIMITS[Step.SAVED]
        failures = 0
        while True:
            try:
                return await self._store.append_end(events, actor=self._worker)
            except Unavailable:
                if asyncio.get_running_loop().time() > until:
                    raise
                pause = _SAVE_PAUSES[min(failures, len(_SAVE_PAUSES) - 1)]
                failures += 1
                _log.warning("cannot save yet", reply=ended.reply, retry_in=pause)
                await asyncio.sleep(pause)

    async def _tell_again(self, reply: Reply) -> None:
        """A worker died between the end and its telling: the clients may still be waiting."""
        async for stored in self._store.replay(reply.conversation):
            if isinstance(stored.event, ReplyEnded) and stored.event.reply == reply.id:
                await self._announcer.publish(reply.conversation, [ending(stored.event)])
        await self._line.advance(reply.conversation)


async def _alongside(claim: asyncio.Task[None], work: Coroutine[Any, Any, None]) -> None:
    """Do the work; a claim that fails meanwhile stops it at once. Errors: those of both."""
    working = asyncio.create_task(work)
    try:
        await asyncio.wait({working, claim}, return_when=asyncio.FIRST_EXCEPTION)
        if not working.done():
            claim.result()
        working.result()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


def _too_late(step: str) -> str:
    return f"It took too long, and was given up while {step}."
