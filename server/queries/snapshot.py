"""The state of a conversation for a client that cannot be served from the log.

The log is read first (offset and drafts in one atomic step), then the version of the conversation, then the stored
messages: so what is stored is never older than the offset, and what is newer comes again as events, which are
idempotent; of two that say which branch is chosen, the one of the greater version counts. A reply that was in flight at
the offset is shown as its draft was then, whatever has been stored since.
"""

from typing import Any

import msgspec

from realtime.log.contract import Draft, Reading
from server.domain.message import Message
from server.storage.lists import Lists
from server.storage.pages import Cut
from server.storage.reads import Reads

_MESSAGES = 50
_CONVERSATIONS = 40
_NO_ACCOUNT = dict.fromkeys(("usage", "cost", "timing"))
"""Of a reply that has not ended."""


class Snapshots:
    """Builds snapshots."""

    def __init__(self, reads: Reads, lists: Lists) -> None:
        self._reads = reads
        self._lists = lists

    async def __call__(self, conversation: str, reading: Reading) -> dict[str, Any]:
        """What a client begins with. Errors: `NotFound`, `Unavailable`.

        `messages`: the last 50 of the chosen branch, replies in flight with their text so far. `head` and `version`:
        the branch, and how new the choice is. `aside`: replies in flight that are not among the messages.
        """
        state, version = await self._reads.conversation_at(conversation)
        page = await self._reads.messages(conversation, Cut(limit=_MESSAGES))
        drafts = {draft.name: draft for draft in reading.drafts}
        shown = {message.id for message in page.items}
        # Also what is owed and was never told: its announcement may be lost.
        beside = [name for name in {**drafts, **state.open} if name not in shown][:_MESSAGES]
        aside = await self._reads.some_messages(beside) if beside else []
        return {
            "messages": [_told(message, drafts) for message in page.items],
            "previous": page.previous,
            "head": page.items[-1].id if page.items else state.head,
            "version": version,
            "aside": [_told(message, drafts) for message in aside],
        }

    async def of_list(self, user: str) -> dict[str, Any]:
        """`{conversations, next}`: the first page of somebody's list, read after the log. Errors: `Unavailable`."""
        page = await self._lists.page(user, Cut(limit=_CONVERSATIONS), archived=False, pinned=None)
        return {"conversations": [item.model_dump(mode="json") for item in page.items], "next": page.next}


def _told(message: Message, drafts: dict[str, Draft]) -> dict[str, Any]:
    draft = drafts.get(message.id)
    told = message.model_dump(mode="json")
    return told if draft is None else told | _as_of(draft)


def _as_of(draft: Draft) -> dict[str, Any]:
    header: dict[str, Any] = msgspec.json.decode(draft.header)
    return {**header, "text": draft.text, "error": None, **_NO_ACCOUNT}
