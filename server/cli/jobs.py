"""`python -m server jobs`: the queue, as an operator sees it, and what can be done about a job."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from providers.config import ProviderConfig
from realtime.log.redis import RedisLog
from realtime.queue.contract import Listed, State
from realtime.queue.redis import RedisQueue
from realtime.redis import command_client
from realtime.signals.redis import RedisSignals
from server import wiring
from server.commands.accepting import Accepting
from server.commands.announce import Announcer
from server.commands.branching import Branching
from server.commands.line import Line
from server.commands.reply_settings import SettingsInForce
from server.commands.telling import Telling
from server.domain.errors import NotFound
from server.domain.message import Regeneration
from server.domain.reply import Reply
from server.sagas.reply.accounts import Accounts
from server.sagas.reply.ends import Ends
from server.settings import Settings
from server.storage.database import database
from server.storage.event_store import EventStore
from server.storage.reads import Reads
from server.storage.writes import Writes

_MOST = 200
_console = Console(width=None if Console().is_terminal else 160)


class NoSuchJob(Exception):
    """There is none of this name, or it is not in a state in which this can be done."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """What the commands stand on."""

    queue: RedisQueue
    reads: Reads
    writes: Writes
    ends: Ends
    store: EventStore
    announcer: Announcer
    telling: Telling

    async def list(self, lane: str | None, state: State | None) -> None:
        """Print the jobs of all lanes, or of one, in all states, or in one."""
        lanes = [lane] if lane else await self.queue.lanes()
        found = [job for one in lanes for job in await self.queue.jobs(one) if state in (None, job.state)]
        table = Table(title=f"{len(found)} jobs", title_justify="left", title_style="bold")
        for column in ("lane", "job", "user", "state", "deliveries", "worker", "since", "why"):
            table.add_column(column, overflow="fold", no_wrap=column == "job")
        for job in found[:_MOST]:
            consumer, why = job.consumer or "", job.reason or ""
            table.add_row(
                job.lane, job.id, job.user, job.state, str(job.deliveries), consumer, _moment(job.since), why
            )
        _console.print(table)
        if len(found) > _MOST:
            _console.print(f"… and {len(found) - _MOST} more.")

    async def show(self, name: str) -> None:
        """Print all that is known of one job, and of its reply."""
        job, reply = await self._find(name)
        table = Table(title=name, title_justify="left", title_style="bold", show_header=False)
        rows = {
            "lane": job.lane,
            "user": job.user,
            "state": job.state,
            "deliveries": str(job.deliveries),
            "worker": job.consumer or "",
            "since": _moment(job.since),
            "why": job.reason or "",
            "conversation": job.payload.get("conversation", ""),
        }
        if reply is not None:
            rows |= {"reply": reply.status, "step": reply.step, "attempt": str(reply.attempt)}
            rows |= {"error": f"{reply.error.code}: {reply.error.detail}"} if reply.error else {}
        for row in rows.items():
            table.add_row(*row)
        _console.print(table)

    async def retry(self, name: str) -> None:
        """Give it its turn now; a dead one's reply has failed, and an end is for ever: it gets another answer.

        Errors: `NoSuchJob`, and those of `Branching.regenerate`.
        """
        job, reply = await self._find(name)
        if reply is not None and reply.ended and job.state == "dead":
            settings = reply.settings.model_copy(update={"provider": job.lane})
            # Whoever answers instead need not be configured here, where nobody is asked.
            state = await self.reads.conversation(reply.conversation)
            instead = {one.provider for said in (settings, state.settings) for one in said.fallbacks or ()}
            in_force = SettingsInForce(self.reads, settings, {job.lane, *instead})
            accepting = Accepting(self.store, self.reads, in_force, self.announcer, self.telling, wiring.now)
            branching = Branching(accepting)
            wanted = Regeneration(key=f"retry-{name}", settings=settings)
            sent = await branching.regenerate(reply.user, name, wanted)
            await self.queue.drop(job.lane, name)
            _console.print(f"{name} has {reply.status}: {sent.reply} answers in its place.", highlight=False)
            return
        if not await self.queue.revive(job.lane, name):
            raise NoSuchJob(
                f"{name} is {job.state}: only what is dead, or to be tried later, is tried again."
            )
        _console.print(f"{name} has its turn.", highlight=False)

    async def drop(self, name: str) -> None:
        """Forget it; a reply that has not ended is cancelled, so that nobody waits for it."""
        job, reply = await self._find(name)
        if reply is not None and not reply.ended:
            await self.writes.request_cancel(reply.id)
            if job.state == "working":
                _console.print(f"{name} is being stopped by its worker.", highlight=False)
                return
            await self.ends.cancel(reply)
        await self.queue.drop(job.lane, name)
        _console.print(f"{name} is gone.", highlight=False)

    async def _find(self, name: str) -> tuple[Listed, Reply | None]:
        for lane in await self.queue.lanes():
            for job in await self.queue.jobs(lane):
                if job.id == name:
                    try:
                        return job, await self.reads.reply(name)
                    except NotFound:
                        return job, None
        raise NoSuchJob(f"There is no job {name}.")


@asynccontextmanager
async def jobs(settings: Settings) -> AsyncGenerator[Jobs]:
    """Open the engines. Errors: `NotConfigured`, `Unavailable`."""
    if settings.mongodb_url is None or settings.redis_url is None:
        raise wiring.NotConfigured(
            "Set CHAT_MONGODB_URL and CHAT_REDIS_URL, or run `up` here, whose engines are used."
        )
    async with (
        database(settings.mongodb_url, settings.mongodb_database) as client,
        command_client(settings.redis_url) as engine,
    ):
        log, queue = RedisLog(engine), RedisQueue(engine, settings.lease_seconds, settings.queue_depth)
        announcer = Announcer(log, queue, settings.provider or "")
        reads, store = Reads(), EventStore(client, wiring.allowances_of(settings))
        # Without its context: what an operator ends is accounted for by what was written of it.
        accounts = Accounts(_providers(settings))
        ends = Ends(store, log, announcer, Line(reads, store, announcer), accounts, wiring.now, "operator")
        telling = Telling(reads, announcer, RedisSignals(engine, engine))
        yield Jobs(queue, reads, Writes(), ends, store, announcer, telling)


def _providers(settings: Settings) -> list[ProviderConfig]:
    """What is configured here, which need not be anything: the queue can be looked at without a key."""
    try:
        return wiring.provider_configs(settings)
    except wiring.NotConfigured:
        return []


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
