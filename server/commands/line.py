"""A conversation's replies are made one after the other: who is next?

Which replies are owed stands in the store, and who is first in line stays first until it ends. So whoever ends a reply
gives the next one to the queue, and if that is forgotten (a crash between the two), the sweeper finds it.
"""

import structlog

from server.commands.announce import Announcer
from server.domain.conversation import first_in_line
from server.domain.errors import Unavailable
from server.storage.event_store import EventStore
from server.storage.reads import Reads

_log = structlog.get_logger(__name__)


class Line:
    """Lets the next one go."""

    def __init__(self, reads: Reads, store: EventStore, announcer: Announcer) -> None:
        self._reads = reads
        self._store = store
        self._announcer = announcer

    async def advance(self, conversation: str) -> None:
        """After the end of a reply: queue the one that waited for it. Queueing one twice does no harm."""
        try:
            line = await self._reads.line(conversation)
            first = first_in_line({reply: opened.seq for reply, opened in line.items()})
            if first is None or line[first].attempt:
                return
            requested = await self._store.requested(conversation, first)
        except Unavailable as error:
            _log.warning("cannot see who is next: left to the sweeper", error=str(error))
            return
        if requested is not None:
            version, event = requested
            await self._announcer.enqueue(event, version, await self._announcer.place_again(event))

    async def is_first(self, conversation: str, reply: str) -> bool:
        """Whether it is a reply's turn. Errors: `Unavailable`."""
        line = await self._reads.line(conversation)
        return first_in_line({name: opened.seq for name, opened in line.items()}) == reply
