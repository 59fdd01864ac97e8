"""The last messages of a branch, kept from one reply to the next, and never older than the store.

A window says up to which version of the conversation's events it is right. Whoever finds one, however old, reads
anew what the events after that name, and what was said since; so nobody has to be told anything for it to be right, and
nothing that is lost can make it wrong. Where too much has happened, all of it is read anew.
"""

from typing import NamedTuple

from pydantic import TypeAdapter

from server.cache.contract import Cache, Kind
from server.domain.message import Message
from server.storage.reads import Reads

MOST = 200
"""Messages in a window."""

_NEAR = 8
_EVENTS = 64


class Window(NamedTuple):
    """Messages of one branch, each the parent of the next, as a model reads them.

    What else they say, such as whether the branch is chosen, is as it was when they were read.
    """

    version: int
    messages: list[Message]


_written = TypeAdapter(Window)

WINDOWS = Kind(
    "window", encode=_written.dump_json, decode=_written.validate_json, seconds=600.0, absent_seconds=0.0
)


class Windows:
    """Reads what leads to a message. Errors: `NotFound`, `Unavailable`."""

    def __init__(self, reads: Reads, cache: Cache) -> None:
        self._reads = reads
        self._cache = cache

    async def __call__(self, conversation: str, version: int, last: str) -> list[Message]:
        """The last messages of the branch that leads to `last`, that one at the end.

        `version` is the conversation's, read before this was called.
        """
        kept = await self._cache.find(WINDOWS, conversation)
        messages = await self._continued(kept, conversation, last) if kept is not None else None
        if messages is None:
            messages = await self._reads.branch(await self._reads.message(last), MOST)
        await self._cache.keep(WINDOWS, conversation, Window(version, messages))
        return messages

    async def _continued(self, kept: Window, conversation: str, last: str) -> list[Message] | None:
        named = await self._reads.named_since(conversation, kept.version, _EVENTS)
        if named is None:
            return None
        places = {message.id: n for n, message in enumerate(kept.messages)}
        new: list[Message] = []
        if last not in places:
            found = await self._reads.lineage(await self._reads.message(last), places, _NEAR)
            if found is None or (root := found[0].parent) is None:
                return None
            new, last = found, root
        old = kept.messages[: places[last] + 1]
        if changed := named.intersection(message.id for message in old):
            anew = {message.id: message for message in await self._reads.some_messages(list(changed))}
            old = [anew.get(message.id, message) for message in old]
        return [*old, *new][-MOST:]
