"""Finding messages again, with permission.

The index follows a moment later than what is stored, and somebody may have lost a conversation in that moment, or have
taken a message back: what was found is checked against what is stored.
"""

import asyncio
from dataclasses import replace

from server.search.contract import Found, SearchEngine, SearchQuery
from server.storage.causal import Causal
from server.storage.reads import Reads


class Search:
    """Call it. Errors: `Unavailable`."""

    def __init__(self, engine: SearchEngine, reads: Reads, causal: Causal) -> None:
        self._engine = engine
        self._causal = causal
        self._reads = reads

    async def __call__(self, user: str, query: SearchQuery) -> Found:
        """What one user finds."""
        wanted = replace(query, reader=user)
        found = await self._causal.read(lambda: self._engine.search(wanted), user)
        if not found.hits:
            return found
        known, shown = await asyncio.gather(
            self._reads.conversations_among(list({hit.conversation for hit in found.hits})),
            self._reads.shown_among([hit.id for hit in found.hits]),
        )
        titles = {one.id: one.title for one in known if one.admits(user)}
        hits = [
            hit.model_copy(update={"title": titles[hit.conversation]})
            for hit in found.hits
            if hit.conversation in titles and hit.id in shown
        ]
        total = found.total - len(found.hits) + len(hits)
        return Found(hits=hits, total=total, complete=found.complete)
