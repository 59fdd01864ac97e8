"""The state of a conversation for a client that cannot be served from the log.

The log is read first (offset and drafts in one atomic step), the stored messages after it: so what is stored is never
older than the offset, and what is newer comes again as events, which are idempotent. A reply that was in flight at
the offset is shown as its draft was then, whatever has been stored since.
"""

from typing import Any

import msgspec

from realtime.log.contract import Draft, Reading
from server.storage.pages import Cut
from server.storage.reads import Reads

_MESSAGES = 50


class Snapshots:
    """Builds snapshots."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def __call__(self, conversation: str, reading: Reading) -> dict[str, Any]:
        """`{messages: [… the last 50]}`, replies in flight with their text so far. Errors: `Unavailable`."""
        page = await self._reads.messages(conversation, Cut(limit=_MESSAGES))
        drafts = {draft.name: draft for draft in reading.drafts}
        messages = [message.model_dump(mode="json") for message in page.items]
        for message in messages:
            draft = drafts.get(message["id"])
            if draft is not None:
                message |= _as_of(draft)
        return {"messages": messages, "previous": page.previous}


def _as_of(draft: Draft) -> dict[str, Any]:
    header: dict[str, Any] = msgspec.json.decode(draft.header)
    return {**header, "text": draft.text, "error": None}
