"""Move one's own mark in a conversation: what one has read, and whether it stays at the top of one's list."""

from realtime.log.contract import Record
from server.commands.announce import Announcer
from server.domain import wire
from server.domain.errors import NotFound
from server.domain.listed import Listed, Place, topic_of
from server.storage.lists import Lists
from server.storage.reads import Reads
from server.storage.writes import Writes


class MovePlace:
    """Call it. Errors: `NotFound`, `Forbidden`, `Unavailable`."""

    def __init__(self, reads: Reads, writes: Writes, lists: Lists, announcer: Announcer) -> None:
        self._reads = reads
        self._writes = writes
        self._lists = lists
        self._announcer = announcer

    async def __call__(self, user: str, conversation: str, place: Place) -> Listed:
        """Move it; one's other devices are told."""
        state = await self._reads.conversation(conversation)
        state.admit(user)
        if place.read is not None:
            # Nobody has read what is not said yet: a mark beyond the last message could never be taken back.
            place = place.model_copy(update={"read": min(place.read, state.last_seq)})
        await self._writes.set_place(user, conversation, place)
        item = await self._lists.one(user, conversation)
        if item is None:
            raise NotFound("conversation")
        topic = topic_of(user)
        event = wire.ListChanged(conversation=topic, item=item.model_dump(mode="json"))
        await self._announcer.publish(topic, [Record(event.body())])
        return item
