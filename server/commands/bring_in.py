"""Bring a conversation in, as it once was taken out: all of it, or nothing."""

from collections.abc import Callable
from datetime import datetime

from server.domain.conversation import Conversation
from server.domain.portable import Portable, bring_in
from server.storage.event_store import EventStore
from server.storage.reads import Reads


class BringIn:
    """Call it. Errors: `Invalid`, `Unavailable`."""

    def __init__(self, store: EventStore, reads: Reads, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._reads = reads
        self._clock = clock

    async def __call__(self, user: str, document: Portable) -> Conversation:
        """A new conversation of the user's."""
        events = bring_in(document, user, self._clock())
        await self._store.append(events, actor=user)
        return await self._reads.conversation(events[0].conversation)
