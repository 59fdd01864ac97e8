"""Begin, change and delete conversations."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from server.commands.deciding import decide
from server.commands.reply_settings import check_provider
from server.commands.telling import Telling
from server.domain import conversation as decisions
from server.domain.conversation import Conversation, ConversationChange, NewConversation
from server.domain.errors import Forbidden
from server.domain.events import Event
from server.storage.event_store import EventStore
from server.storage.reads import Reads


class Conversations:
    """Each method returns when it is stored. Errors: `NotFound`, `Forbidden`, `Invalid`, `Unavailable`."""

    def __init__(
        self,
        store: EventStore,
        reads: Reads,
        telling: Telling,
        providers: Collection[str],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._reads = reads
        self._telling = telling
        self._providers = providers
        self._clock = clock

    async def create(self, user: str, new: NewConversation) -> Conversation:
        """Begin a conversation; a character's greeting is its first message."""
        check_provider(new.settings, self._providers)
        greeting = await self._greeting(user, new.character) if new.character else ""
        events = decisions.create(new, user, greeting, self._clock())
        await self._store.append(events, actor=user)
        return await self._reads.conversation(events[0].conversation)

    async def change(self, user: str, conversation: str, wanted: ConversationChange) -> Conversation:
        """Rename it, change how it is conducted, or put it away; its clients are told."""
        if wanted.settings is not None:
            check_provider(wanted.settings, self._providers)
        if wanted.character is not None:
            await self._greeting(user, wanted.character)

        async def decision(state: Conversation) -> Sequence[Event]:
            return decisions.change(state, user, wanted, self._clock())

        await self._telling(await decide(self._store, self._reads, conversation, user, decision))
        return await self._reads.conversation(conversation)

    async def leave(self, user: str, conversation: str) -> None:
        """Take part in it no longer; its clients are told, and the own ones turned away from it."""

        async def decision(state: Conversation) -> Sequence[Event]:
            return decisions.leave(state, user, self._clock())

        await self._telling(await decide(self._store, self._reads, conversation, user, decision))

    async def delete(self, user: str, conversation: str) -> None:
        """Take it away; its clients are told."""

        async def decision(state: Conversation) -> Sequence[Event]:
            return decisions.delete(state, user, self._clock())

        await self._telling(await decide(self._store, self._reads, conversation, user, decision))

    async def _greeting(self, user: str, character: str) -> str:
        found = await self._reads.character(character)
        if found.owner != user:
            raise Forbidden("forbidden", "This character is somebody else's.", field="character")
        return found.greeting
