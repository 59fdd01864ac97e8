"""Reading with permission: what may somebody see?

Whether they may is always asked of the primary, and so is what has a name of its own; pages and lists, which are most
of what is read, come from where the operator prefers them.
"""

from realtime.together import Together
from server.domain.character import Character
from server.domain.conversation import Conversation
from server.domain.errors import Forbidden, NotFound
from server.domain.listed import Listed
from server.domain.message import Message
from server.domain.reply import Reply
from server.storage.causal import Causal
from server.storage.lists import Lists
from server.storage.pages import Cut, Page
from server.storage.reads import Reads


class Queries:
    """Each method answers for one user. Errors: `NotFound`, `Forbidden`, `Invalid`, `Unavailable`."""

    def __init__(self, reads: Reads, lists: Lists, causal: Causal) -> None:
        self._reads = reads
        self._lists = lists
        self._causal = causal
        self._crowd = Together(reads.conversations_or_errors)

    async def admit(self, user: str, conversation: str) -> None:
        """Check that the user takes part; a crowd that comes at once is checked at once."""
        (await self._crowd(conversation)).admit(user)

    async def conversation(self, user: str, conversation: str) -> Conversation:
        """One conversation that the user takes part in."""
        found = await self._reads.conversation(conversation)
        found.admit(user)
        return found

    async def conversations(
        self, user: str, cut: Cut, *, archived: bool = False, pinned: bool | None = None
    ) -> Page[Listed]:
        """The user's, the one with the latest message first: those put away, or the others; pinned ones, or others."""
        return await self._causal.read(
            lambda: self._lists.page(user, cut, archived=archived, pinned=pinned), user
        )

    async def messages(self, user: str, conversation: str, cut: Cut) -> Page[Message]:
        """A page of a conversation; without a cursor, the newest."""
        await self.conversation(user, conversation)
        return await self._causal.read(lambda: self._reads.messages(conversation, cut), user, conversation)

    async def around(self, user: str, conversation: str, message: str, limit: int) -> Page[Message]:
        """A page with this message in the middle. Errors: `NotFound` where it is not on the branch."""
        await self.conversation(user, conversation)
        found = await self._reads.message(message)
        if found.conversation != conversation or not found.chosen:
            raise NotFound("message")
        return await self._reads.around(found, limit)

    async def message(self, user: str, message: str) -> Message:
        """One message, on any branch."""
        found = await self._reads.message(message)
        await self.conversation(user, found.conversation)
        return found

    async def reply(self, user: str, reply: str) -> Reply:
        """One reply."""
        found = await self._reads.reply(reply)
        await self.conversation(user, found.conversation)
        return found

    async def character(self, user: str, character: str) -> Character:
        """One of the user's characters."""
        found = await self._reads.character(character)
        if found.owner != user:
            raise Forbidden("forbidden", "This character is somebody else's.")
        return found

    async def characters(self, user: str, cut: Cut) -> Page[Character]:
        """All of the user's characters."""
        return await self._reads.characters(user, cut)
