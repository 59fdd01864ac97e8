"""Stop a reply: before its worker has begun, or while it writes; from any client, on any instance."""

from collections.abc import Callable
from datetime import datetime

import structlog

from realtime.errors import Unavailable as SignalLost
from realtime.signals.contract import Signals
from server.commands.announce import Announcer, ending
from server.commands.line import Line
from server.domain.conversation import never_begun
from server.domain.errors import Conflict, StaleAttempt
from server.domain.reply import Reply
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
        line: Line,
        signals: Signals,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._reads = reads
        self._writes = writes
        self._announcer = announcer
        self._line = line
        self._signals = signals
        self._clock = clock

    async def __call__(self, user: str, reply_id: str) -> Reply:
        """The reply as it is then. Errors: `NotFound`, `Forbidden`, `Conflict` when it has ended, `Unavailable`."""
        reply = await self._reads.reply(reply_id)
        (await self._reads.conversation(reply.conversation)).admit(user)
        if reply.ended:
            raise Conflict("already_ended", f"This reply has {reply.status} already.")
        await self._writes.request_cancel(reply_id)
        if reply.status == "queued" and reply.attempt == 0 and await self._end_before_it_began(reply, user):
            return await self._reads.reply(reply_id)
        try:
            await self._signals.send(SIGNAL, reply_id)
        except SignalLost:
            _log.warning("cancel signal lost: its worker will see the mark", reply=reply_id)
        return await self._reads.reply(reply_id)

    async def _end_before_it_began(self, reply: Reply, user: str) -> bool:
        event = never_begun(reply.conversation, reply.id, reply.created_at, self._clock())
        try:
            await self._store.append([event], actor=user)
        except StaleAttempt:
            return False  # a worker has begun meanwhile
        await self._announcer.publish(reply.conversation, [ending(event)])
        await self._announcer.forget(reply.id, reply.settings)
        await self._line.advance(reply.conversation)
        return True
