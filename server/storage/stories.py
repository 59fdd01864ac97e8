"""Everything that is stored, one conversation after the other, for whoever checks all of it."""

from collections.abc import AsyncIterator
from typing import Any

from server.domain.stored_story import Row, Story
from server.storage.database import Client, reachable
from server.storage.documents import (
    ConversationDocument,
    EventDocument,
    MessageDocument,
    ReplyDocument,
    StoredDocument,
    UsageDocument,
)

_BATCH = 100
_EVENT = {"stream": 1, "version": 1, "type": 1, "data.reply": 1}


async def how_many() -> int:
    """Conversations that are stored, about. Errors: `Unavailable`."""
    async with reachable():
        return await ConversationDocument.collection().estimated_document_count()


async def stories(client: Client) -> AsyncIterator[Story]:
    """Each conversation as it was at one moment, however much is written meanwhile. Errors: `Unavailable`."""
    after = ""
    while True:
        async with reachable(), client.start_session(snapshot=True) as session:

            async def rows(
                kind: type[StoredDocument], wanted: dict[str, Any], shown: dict[str, int] | None = None
            ) -> list[Row]:
                found = kind.collection().find(wanted, shown, session=session)
                return await found.to_list()

            begun = ConversationDocument.collection().find({"_id": {"$gt": after}}, session=session)
            told = {row["_id"]: Story(row) for row in await begun.sort("_id", 1).limit(_BATCH).to_list()}
            here = {"$in": list(told)}
            for row in await rows(EventDocument, {"stream": here}, _EVENT):
                told[row["stream"]].events.append(row)
            for row in await rows(MessageDocument, {"conversation": here}):
                told[row["conversation"]].messages.append(row)
            for row in await rows(ReplyDocument, {"conversation": here}):
                told[row["conversation"]].replies.append(row)
            for row in await rows(UsageDocument, {"conversation": here}):
                told[row["conversation"]].usage.append(row)
        for story in told.values():
            yield story
        if len(told) < _BATCH:
            return
        after = max(told)


async def strays() -> list[str]:
    """Events of conversations that do not exist. Errors: `Unavailable`."""
    pipeline: list[dict[str, Any]] = [
        {"$group": {"_id": "$stream"}},
        {"$lookup": {"from": "conversations", "localField": "_id", "foreignField": "_id", "as": "found"}},
        {"$match": {"found": []}},
    ]
    async with reachable():
        cursor = await EventDocument.collection().aggregate(pipeline)
        return [row["_id"] async for row in cursor]
