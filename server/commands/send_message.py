"""Accept a message: the one way in, over the socket and over HTTP."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from server.commands.announce import Announcer
from server.commands.deciding import decide
from server.domain import conversation as decisions
from server.domain.conversation import Conversation
from server.domain.errors import Conflict, Invalid, NotFound
from server.domain.events import ConversationChanged, Event, MessageCreated, ReplyRequested
from server.domain.message import NewMessage, Sent
from server.domain.settings import ReplySettings
from server.storage.event_store import Duplicate, EventStore
from server.storage.reads import Reads


class SendMessage:
    """Call it; when it returns, the message is stored and its reply is owed."""

    def __init__(
        self,
        store: EventStore,
        reads: Reads,
        announcer: Announcer,
        defaults: ReplySettings,
        providers: Collection[str],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._reads = reads
        self._announcer = announcer
        self._defaults = defaults
        self._providers = providers
        self._clock = clock

    async def __call__(self, user: str, conversation: str, new: NewMessage) -> Sent:
        """Errors: `NotFound`, `Forbidden`, `Invalid`, `Conflict` for a reused key, `Overloaded`,
        `Unavailable`.
        """
        decisions.check_text(new.text)
        place: int | None = None

        async def decision(state: Conversation) -> Sequence[Event]:
            nonlocal place
            state.admit(user)
            if new.key is not None and await self._reads.sent(conversation, user, new.key) is not None:
                return []
            settings = await self._settings(state, new)
            if new.reply is not False:
                # Before anything is stored: what is accepted always has a place.
                place = await self._announcer.place(user, settings)
            return decisions.send(state, user, new, settings, self._clock())

        try:
            appended = await decide(self._store, self._reads, conversation, user, decision)
        except Duplicate:
            appended = ()
        if not appended:
            return await self._earlier(user, conversation, new)
        created = next(event for event in appended if isinstance(event, MessageCreated))
        requested = next((event for event in appended if isinstance(event, ReplyRequested)), None)
        await self._announcer.sent(created, requested, place)
        for event in appended:
            if isinstance(event, ConversationChanged):
                await self._announcer.updated(event)
        return Sent(message=created.message, reply=requested.reply if requested else None, duplicate=False)

    async def _earlier(self, user: str, conversation: str, new: NewMessage) -> Sent:
        assert new.key is not None
        found = await self._reads.sent(conversation, user, new.key)
        if found is None:
            raise NotFound("message")
        sent, text = found
        if text != new.text:
            raise Conflict("key_reused", "This key was used for another text.", field="key")
        return sent

    async def _settings(self, state: Conversation, new: NewMessage) -> ReplySettings:
        """This send over the conversation over its character over the server."""
        settings = self._defaults
        if state.character is not None:
            try:
                character = await self._reads.character(state.character)
                settings = character.reply_settings().over(settings)
            except NotFound:
                pass  # deleted meanwhile: the conversation goes on without
        settings = state.settings.over(settings)
        if new.reply is not False:
            settings = new.reply.over(settings)
        check_provider(settings, self._providers)
        return settings


def check_provider(settings: ReplySettings, providers: Collection[str]) -> None:
    """Errors: `Invalid` with `unknown_provider`."""
    if settings.provider is not None and settings.provider not in providers:
        known = ", ".join(sorted(providers))
        raise Invalid(
            "unknown_provider",
            f"There is no provider {settings.provider!r} here, only {known}.",
            field="provider",
        )
