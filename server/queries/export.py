"""A conversation as one document, for whoever takes part in it."""

from server.domain.errors import NotFound
from server.domain.portable import Portable, portable
from server.queries.access import Queries
from server.storage.causal import Causal
from server.storage.reads import Reads


class Exports:
    """Call it. Errors: `NotFound`, `Forbidden`, `Unavailable`."""

    def __init__(self, queries: Queries, reads: Reads, causal: Causal) -> None:
        self._queries = queries
        self._causal = causal
        self._reads = reads

    async def __call__(self, user: str, conversation: str) -> Portable:
        """All of its branches, with what is known of each text by now."""
        state = await self._queries.conversation(user, conversation)
        character: str | None = None
        if state.character is not None:
            try:
                character = (await self._reads.character(state.character)).name
            except NotFound:
                character = None  # deleted meanwhile
        messages = await self._causal.read(lambda: self._reads.all_messages(conversation), user, conversation)
        return portable(state, character, messages, await self._reads.about_texts(conversation))
