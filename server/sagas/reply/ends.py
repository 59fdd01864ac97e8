"""The ends of a reply that no worker makes: given up, too late, without a provider, or stopped before it began.

The compensation of the saga, the same wherever it failed: what text there is stays, the account gets what was used, the
reply's place in the queue becomes free, the clients are told, and the next one has its turn.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import structlog

from realtime.errors import Unavailable as EngineAway
from realtime.log.contract import Log
from server.commands.announce import Announcer, ending
from server.commands.line import Line
from server.domain.answer import Timing, Usage, total_cost, total_usage
from server.domain.errors import StaleAttempt
from server.domain.events import (
    Event,
    ReplyCancelled,
    ReplyCompleted,
    ReplyEnded,
    ReplyFailed,
    ReplyGenerated,
)
from server.domain.events import UsageRecorded as Recorded
from server.domain.reply import Reply
from server.sagas.reply.accounts import Accounts
from server.storage.cause import caused_by
from server.storage.event_store import EventStore

_log = structlog.get_logger(__name__)


class Ends:
    """Ends replies under their fence: whoever comes second, finds it ended."""

    def __init__(
        self,
        store: EventStore,
        log: Log,
        announcer: Announcer,
        line: Line,
        accounts: Accounts,
        clock: Callable[[], datetime],
        actor: str,
    ) -> None:
        self._store = store
        self._log = log
        self._announcer = announcer
        self._line = line
        self._accounts = accounts
        self._clock = clock
        self._actor = actor

    async def fail(self, reply: Reply, code: str, detail: str) -> bool:
        """Mark it as failed; False when it has ended meanwhile, or is in newer hands. Errors: `Unavailable`."""
        common = await self._common(reply)
        return await self._end(reply, ReplyFailed(**common, code=code, detail=detail, step=reply.step))

    async def cancel(self, reply: Reply) -> bool:
        """Mark it as cancelled; likewise."""
        return await self._end(reply, ReplyCancelled(**await self._common(reply)))

    async def _end(self, reply: Reply, ended: ReplyEnded) -> bool:
        try:
            with caused_by(reply.correlation, reply.cause):
                await self._store.append(closing(reply, ended), actor=self._actor)
        except StaleAttempt:
            return False
        _log.warning("ended in place of a worker", reply=reply.id, type=ended.type)
        await self._announcer.publish(reply.conversation, [ending(ended)])
        await self._line.advance(reply.conversation)
        return True

    async def _common(self, reply: Reply) -> dict[str, Any]:
        text = await self.draft(reply)
        now = self._clock()
        waited = _milliseconds(reply.created_at, reply.started_at or now)
        spans = await self._accounts.spans(reply, text)
        nothing = Usage(input=0, output=0, exact=False) if reply.attempt else None
        return {
            "conversation": reply.conversation,
            "at": now,
            "reply": reply.id,
            "attempt": reply.attempt,
            "text": text,
            "length": len(text),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "usage": total_usage(spans) or nothing,
            "cost": total_cost(spans),
            "provenance": spans,
            "timing": Timing(
                queued_ms=waited, first_token_ms=None, total_ms=_milliseconds(reply.created_at, now)
            ),
        }

    async def draft(self, reply: Reply) -> str:
        """The text that the clients have; nothing where the log is away, or lost it."""
        if not reply.attempt:
            return ""
        try:
            reading = await self._log.read(reply.conversation, None)
        except EngineAway as error:
            _log.warning("the log is away: its text cannot be kept", reply=reply.id, error=str(error))
            return ""
        return next((draft.text for draft in reading.drafts if draft.name == reply.id), "")


def closing(
    reply: Reply, ended: ReplyEnded, provider: str | None = None, model: str | None = None
) -> Sequence[Event]:
    """All that is stored in the one commit that ends a reply: *generated*, the end, and what goes on the account."""
    events: list[Event] = []
    if isinstance(ended, ReplyCompleted):
        generated = ReplyGenerated(
            conversation=ended.conversation,
            at=ended.at,
            reply=ended.reply,
            attempt=ended.attempt,
            length=ended.length,
            sha256=ended.sha256,
            finish=ended.finish,
        )
        events.append(generated)
    events.append(ended)
    if ended.usage is not None:
        # Who wrote the last of it, where one provider took over from another.
        last = ended.provenance[-1] if ended.provenance else None
        recorded = Recorded(
            conversation=ended.conversation,
            at=ended.at,
            reply=ended.reply,
            user=reply.user,
            provider=last.provider if last else provider or reply.provider or "",
            model=last.model if last else model or reply.model or "",
            usage=ended.usage,
            cost=ended.cost,
        )
        events.append(recorded)
    return events


def _milliseconds(start: datetime, end: datetime) -> int:
    return max(0, round((end - start).total_seconds() * 1000))
