"""The summaries of conversations: a few for each, beside the events and made of them, so that any may be lost."""

from collections.abc import Sequence

from server.domain.summary import Summary, changes
from server.storage.database import reachable
from server.storage.documents import MessageDocument, SummaryDocument

_KEPT = 8
"""Of one conversation: branches that were left may be chosen again."""


class Summaries:
    """Each method raises `Unavailable`."""

    async def of(self, conversation: str) -> list[Summary]:
        """All that are kept of a conversation, whether they stand or not."""
        async with reachable():
            found = await SummaryDocument.find({"conversation": conversation}).to_list()
        return [Summary.model_validate(document) for document in found]

    async def changes(self, conversation: str) -> list[int]:
        """What was taken back, put away or taken out again (`server.domain.summary.changes`)."""
        wanted = {"conversation": conversation, "$or": [{"retracted": True}, {"turns": {"$gt": 0}}]}
        fields = {"_id": 0, "seq": 1, "retracted": 1, "turns": 1}
        async with reachable():
            rows = await MessageDocument.collection().find(wanted, fields).to_list()
        return changes((row["seq"], row["retracted"], row.get("turns", 0)) for row in rows)

    async def keep(self, summary: Summary) -> None:
        """Store one, in place of one that reached as far; the oldest go."""
        document = SummaryDocument(**summary.model_dump())
        async with reachable():
            await document.save()
            newest = SummaryDocument.find({"conversation": summary.conversation}).sort("-at")
            await self.forget([one.id for one in (await newest.to_list())[_KEPT:]])

    async def forget(self, summaries: Sequence[str]) -> None:
        """Delete these."""
        if summaries:
            async with reachable():
                await SummaryDocument.collection().delete_many({"_id": {"$in": list(summaries)}})
