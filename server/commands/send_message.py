"""Accept a message: the one way in, over the socket and over HTTP."""

import asyncio
from collections.abc import Sequence

from server.commands.accepting import Accepting
from server.domain import conversation as decisions
from server.domain.conversation import Conversation
from server.domain.errors import ChatError, Conflict, NotFound
from server.domain.events import Event, MessageCreated, ReplyRequested
from server.domain.message import NewMessage, Sent
from server.domain.settings import ReplySettings
from server.storage.event_store import Duplicate


class SendMessage:
    """Call it; when it returns, the message is stored and its reply is owed."""

    def __init__(self, accepting: Accepting) -> None:
        self._accepting = accepting
        self._reads = accepting.reads

    async def __call__(self, user: str, conversation: str, new: NewMessage) -> Sent:
        """Errors: `NotFound`, `Forbidden`, `Invalid`, `Overloaded`, `Unavailable`.

        `Conflict`: a reused key, or a conversation that is busy.
        """
        decisions.check_text(new.text)
        asking = _Asking(self._accepting, user, new.reply)
        try:
            return await self._sent(user, conversation, new, asking)
        finally:
            await asking.end()

    async def _sent(self, user: str, conversation: str, new: NewMessage, asking: "_Asking") -> Sent:
        place: int | None = None
        asked_again = False

        async def decision(state: Conversation) -> Sequence[Event]:
            """Whether it was sent before is for the store to say, which looks anyway; we ask where it is likely."""
            nonlocal asked_again
            state.admit(user)
            if asked_again and await self._was_sent(user, conversation, new):
                return []
            asked_again = True
            try:
                return await decided_on(state)
            except ChatError:
                if await self._was_sent(user, conversation, new):
                    return []  # its answer is the first one's, whatever has become of the place for another
                raise

        async def decided_on(state: Conversation) -> Sequence[Event]:
            nonlocal place
            settings = await self._accepting.settings(state, new.reply)
            if new.reply is not False:
                # Before anything is stored: what is accepted always has a place.
                place = await asking.place(settings)
            return decisions.send(state, user, new, settings, self._accepting.clock())

        try:
            decided = await self._accepting.decide(conversation, user, decision)
        except Duplicate:
            return await self._earlier(user, conversation, new)
        if not decided.events:
            return await self._earlier(user, conversation, new)
        await self._accepting.telling(decided, place)
        created = next(event for event in decided.events if isinstance(event, MessageCreated))
        requested = next((event for event in decided.events if isinstance(event, ReplyRequested)), None)
        return Sent(message=created.message, reply=requested.reply if requested else None, duplicate=False)

    async def _was_sent(self, user: str, conversation: str, new: NewMessage) -> bool:
        return new.key is not None and await self._reads.sent(conversation, user, new.key) is not None

    async def _earlier(self, user: str, conversation: str, new: NewMessage) -> Sent:
        assert new.key is not None
        found = await self._reads.sent(conversation, user, new.key)
        if found is None:
            raise NotFound("message")
        sent, text = found
        if text not in (new.text, ""):  # nothing is left of what was taken back
            raise Conflict("key_reused", "This key was used for another text.", field="key")
        return sent


class _Asking:
    """Asks for a place in the queue while the conversation is read: of the lane that most likely is the reply's."""

    def __init__(self, accepting: Accepting, user: str, wanted: ReplySettings | bool) -> None:
        self._announcer = accepting.announcer
        self._user = user
        self._task: asyncio.Task[int] | None = None
        # A lane begins to be with the first question about it: only those of known providers may.
        if isinstance(wanted, ReplySettings) and accepting.settings.knows(wanted.provider):
            self._lane = self._announcer.lane(wanted)
            self._task = asyncio.create_task(self._announcer.place(user, wanted))

    async def place(self, settings: ReplySettings) -> int:
        """The place of a reply with these settings; an answer is good for one decision. Errors: `Overloaded`."""
        if self._task is not None and self._announcer.lane(settings) == self._lane:
            task, self._task = self._task, None
            return await task
        return await self._announcer.place(self._user, settings)

    async def end(self) -> None:
        """Let it come to its end, which is not far: nobody wants to know any more."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
