"""Another answer, another wording, another branch; taking a message back, and putting it away."""

from collections.abc import Sequence

from server.commands.accepting import Accepting
from server.commands.deciding import Decided, Decision
from server.domain import branches
from server.domain.conversation import Conversation, unnamed
from server.domain.errors import Conflict, NotFound
from server.domain.events import Event, MessageCreated, ReplyRequested
from server.domain.message import Edit, Message, Regeneration, Sent
from server.storage.event_store import Duplicate


class Branching:
    """Each method returns when it is stored.

    Errors: `NotFound`, `Forbidden`, `Invalid`, `Conflict`, `Overloaded`, `Unavailable`.
    """

    def __init__(self, accepting: Accepting) -> None:
        self._accepting = accepting
        self._reads = accepting.reads

    async def regenerate(self, user: str, reply: str, wanted: Regeneration) -> Sent:
        """Another answer to the same message; the earlier ones stay beside it."""
        known = await self._answer(reply)
        conversation = known.conversation

        async def decision(state: Conversation) -> Sequence[Event]:
            state.admit(user)
            if wanted.key and await self._reads.regenerated(conversation, wanted.key) is not None:
                return []
            settings = await self._accepting.settings(state, wanted.settings)
            await self._accepting.announcer.place(user, settings)  # what is accepted always has one
            tree = await self._reads.tree(conversation)
            return branches.regenerate(
                state, tree, user, reply, settings, wanted.key, self._accepting.clock()
            )

        decided = await self._decide(user, conversation, decision)
        if decided is not None and (sent := _sent(decided)) is not None:
            return sent
        found = await self._reads.regenerated(conversation, wanted.key or "")
        if found is None:
            raise NotFound("reply")
        earlier, asker = found
        if asker != user or earlier.message != known.reply_to:
            raise Conflict("key_reused", "This key was used for another request.", field="key")
        return earlier

    async def _answer(self, reply: str) -> Message:
        """The message that a reply is: of one that was brought in there is nothing else."""
        try:
            return await self._reads.message(reply)
        except NotFound:
            raise NotFound("reply") from None

    async def edit(self, user: str, message: str, new: Edit) -> Sent:
        """Say it differently: a branch of its own, from where the message stands."""
        old = await self._reads.message(message)
        conversation = old.conversation

        async def decision(state: Conversation) -> Sequence[Event]:
            state.admit(user)
            if new.key and await self._reads.sent(conversation, user, new.key) is not None:
                return []
            settings = await self._accepting.settings(state, new.reply)
            if new.reply is not False:
                await self._accepting.announcer.place(user, settings)  # what is accepted always has one
            tree = await self._reads.tree(conversation)
            return branches.edit(state, tree, user, message, new, settings, self._accepting.clock())

        decided = await self._decide(user, conversation, decision)
        if decided is not None and (sent := _sent(decided)) is not None:
            return sent
        found = await self._reads.sent(conversation, user, new.key or "")
        if found is None:
            raise NotFound("message")
        earlier, text = found
        if text != new.text or (await self._reads.message(earlier.message)).parent != old.parent:
            raise Conflict("key_reused", "This key was used for another message.", field="key")
        return earlier

    async def choose(self, user: str, message: str) -> tuple[Message, str | None]:
        """Go on with the branch on which a message lies; the message as it is then, and the last of the branch."""
        conversation = (await self._reads.message(message)).conversation

        async def decision(state: Conversation) -> Sequence[Event]:
            state.admit(user)
            tree = await self._reads.tree(conversation)
            return branches.choose(state, tree, user, message, self._accepting.clock())

        await self._decide(user, conversation, decision)
        head = (await self._reads.conversation(conversation)).head
        return await self._reads.message(message), head

    async def retract(self, user: str, message: str) -> Message:
        """Take a message back: its place stays, its text is gone, also from the title that was made of it."""
        said = await self._reads.message(message)
        conversation = said.conversation

        async def decision(state: Conversation) -> Sequence[Event]:
            state.admit(user)
            tree, now = await self._reads.tree(conversation), self._accepting.clock()
            taken = branches.retract(state, tree, user, message, now)
            return [*taken, *unnamed(state, said.text, now)] if taken else []

        await self._decide(user, conversation, decision)
        return await self._reads.message(message)

    async def archive(self, user: str, message: str, archived: bool) -> Message:
        """Put a message away, or take it out again: no model reads it meanwhile, and no search finds it."""
        conversation = (await self._reads.message(message)).conversation

        async def decision(state: Conversation) -> Sequence[Event]:
            state.admit(user)
            tree = await self._reads.tree(conversation)
            return branches.archive(state, tree, user, message, archived, self._accepting.clock())

        await self._decide(user, conversation, decision)
        return await self._reads.message(message)

    async def _decide(self, user: str, conversation: str, decision: Decision) -> Decided | None:
        """None: an idempotency key was used at this very moment."""
        try:
            decided = await self._accepting.decide(conversation, user, decision)
        except Duplicate:
            return None
        await self._accepting.telling(decided)
        return decided


def _sent(decided: Decided) -> Sent | None:
    created = next((event for event in decided.events if isinstance(event, MessageCreated)), None)
    requested = next((event for event in decided.events if isinstance(event, ReplyRequested)), None)
    message = created.message if created else requested.message if requested else None
    if message is None:
        return None
    return Sent(message=message, reply=requested.reply if requested else None, duplicate=False)
