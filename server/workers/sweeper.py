"""Mends what a crash left between a commit and the queue: a reply that is owed and that no queue ever had."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from server.commands.announce import Announcer
from server.domain.errors import Unavailable
from server.domain.events import MessageCreated, ReplyRequested
from server.domain.reply import Reply
from server.storage.reads import Reads
from server.storage.writes import Writes

_log = structlog.get_logger(__name__)

_EVERY_SECONDS = 5.0
_GRACE = timedelta(seconds=5)
_RETRY = timedelta(seconds=30)
_AT_ONCE = 100


class Sweeper:
    """Any number may run: who marks a reply first mends it."""

    def __init__(
        self, reads: Reads, writes: Writes, announcer: Announcer, clock: Callable[[], datetime]
    ) -> None:
        self._reads = reads
        self._writes = writes
        self._announcer = announcer
        self._clock = clock

    async def run(self) -> None:
        """Sweep every few seconds until cancelled."""
        while True:
            try:
                await self.sweep()
            except Unavailable as error:
                _log.warning("cannot sweep now", error=str(error))
            await asyncio.sleep(_EVERY_SECONDS)

    async def sweep(self) -> int:
        """One round; returns how many replies were mended."""
        now = self._clock()
        mended = 0
        for reply in await self._reads.not_queued(now - _GRACE, _AT_ONCE):
            if await self._writes.claim_sweep(reply.id, now, now - _RETRY):
                await self._mend(reply, now)
                mended += 1
        return mended

    async def _mend(self, reply: Reply, now: datetime) -> None:
        _log.warning("accepted, never queued: mending", reply=reply.id)
        message = await self._reads.message(reply.message)
        answer = await self._reads.message(reply.id)
        created = MessageCreated(
            conversation=reply.conversation,
            at=message.created_at,
            message=message.id,
            seq=message.seq,
            role=message.role,
            user=message.user,
            text=message.text,
            key=message.key,
        )
        requested = ReplyRequested(
            conversation=reply.conversation,
            at=reply.created_at,
            reply=reply.id,
            message=reply.message,
            seq=answer.seq,
            user=reply.user,
            settings=reply.settings,
        )
        await self._announcer.sent(created, requested, now)
