"""The events of a conversation, for those who take part in it. What was taken back is not shown here either."""

from server.domain.audit import AuditEntry
from server.storage.causal import Causal
from server.storage.pages import Cut, Page
from server.storage.reads import Reads


class Audit:
    """Call it."""

    def __init__(self, reads: Reads, causal: Causal) -> None:
        self._reads = reads
        self._causal = causal

    async def __call__(self, user: str, conversation: str, cut: Cut) -> Page[AuditEntry]:
        """A page, from the first event on. Errors: `NotFound`, `Forbidden`, `Invalid`, `Unavailable`."""
        (await self._reads.conversation(conversation)).admit(user)
        return await self._causal.read(lambda: self._reads.events(conversation, cut), user, conversation)
