"""Take what came of a reply's calls, and have the model go on from there."""

from collections.abc import Callable, Sequence
from datetime import datetime

from server.commands.announce import Announcer
from server.commands.deciding import decide
from server.commands.telling import Telling
from server.domain import tool_use
from server.domain.answer import ToolResult
from server.domain.conversation import Conversation
from server.domain.events import Event, ReplyRequested
from server.storage.event_store import EventStore
from server.storage.reads import Reads


class GiveToolResults:
    """Call it; when it returns, the results are stored and the reply that goes on is owed."""

    def __init__(
        self,
        store: EventStore,
        reads: Reads,
        announcer: Announcer,
        telling: Telling,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._reads = reads
        self._announcer = announcer
        self._telling = telling
        self._clock = clock

    async def __call__(self, user: str, reply_id: str, results: list[ToolResult]) -> str:
        """The id of the reply that goes on.

        Errors: `NotFound`, `Forbidden`, `Conflict`, `Invalid`, `QuotaExceeded`, `Overloaded`, `Unavailable`.
        """

        async def decision(state: Conversation) -> Sequence[Event]:
            reply = await self._reads.reply(reply_id)
            events = tool_use.answered(state, user, reply, results, self._clock())
            await self._announcer.place(user, reply.settings)  # what is accepted always has one
            return events

        conversation = (await self._reads.reply(reply_id)).conversation
        decided = await decide(self._store, self._reads, conversation, user, decision)
        await self._telling(decided)
        return next(event.reply for event in decided.events if isinstance(event, ReplyRequested))
