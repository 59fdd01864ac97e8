"""Stop a reply: before its worker has begun, or while it writes; from any client, on any instance."""

import hashlib
from collections.abc import Callable
from datetime import datetime

import structlog

from realtime.errors import Unavailable as SignalLost
from realtime.signals.contract import Signals
from server.commands.announce import Announcer, ending
from server.domain.errors import Conflict, StaleAttempt
from server.domain.events import ReplyCancelled
from server.domain.reply import Reply, Timing
from server.storage.event_store import EventStore
from server.storage.reads import Reads
from server.storage.writes import Writes

_log = structlog.get_logger(__name__)

SIGNAL = "cancel"


class CancelReply:
    """Call it; `reply.cancelled` follows when the reply has really stopped."""

    def __init__(
        self,
        store: EventStore,
        reads: Reads,
        writes: Writes,
        announcer: Announcer,
        signals: Signals,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._reads = reads
        self._writes = writes
        self._announcer = announcer
        self._signals = signals
        self._clock = clock

    async def __call__(self, user: str, reply_id: str) -> Reply:
        """The reply as it is then. Errors: `NotFound`, `Forbidden`, `Conflict` when it has ended, `Unavailable`."""
        reply = await self._reads.reply(reply_id)
        (await self._reads.conversation(reply.conversation)).admit(user)
        if reply.ended:
            raise Conflict("already_ended", f"This reply has {reply.status} already.")
        await self._writes.request_cancel(reply_id)
        if reply.status == "queued" and await self._end_before_it_began(reply, user):
            return await self._reads.reply(reply_id)
        try:
            await self._signals.send(SIGNAL, reply_id)
        except SignalLost:
            _log.warning("cancel signal lost: its worker will see the mark", reply=reply_id)
        return await self._reads.reply(reply_id)

    async def _end_before_it_began(self, reply: Reply, user: str) -> bool:
        now = self._clock()
        waited = round((now - reply.created_at).total_seconds() * 1000)
        event = ReplyCancelled(
            conversation=reply.conversation,
            at=now,
            reply=reply.id,
            attempt=reply.attempt,
            text="",
            length=0,
            sha256=hashlib.sha256(b"").hexdigest(),
            usage=None,
            timing=Timing(queued_ms=waited, first_token_ms=None, total_ms=waited),
        )
        try:
            await self._store.append([event], actor=user)
        except StaleAttempt:
            return False  # a worker has begun meanwhile
        await self._announcer.publish(reply.conversation, [ending(event)])
        await self._announcer.forget(reply.id, reply.settings)
        return True
