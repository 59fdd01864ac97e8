"""After a decision was committed: tell the clients in one step of the log, then the queue, then the workers.

What is lost between the commit and here is seen in the next snapshot, and queued by the sweeper.
"""

import asyncio
from contextlib import suppress

import structlog

from realtime.errors import Unavailable as EngineAway
from realtime.log.contract import Record
from realtime.signals.contract import Signals
from server.commands.announce import (
    Announcer,
    asked,
    conversation_updated,
    ending,
    message_created,
    owed,
    queued,
)
from server.commands.cancel_reply import SIGNAL
from server.commands.deciding import Decided
from server.domain import events, wire
from server.domain.conversation import first_in_line, open_after
from server.domain.errors import NotFound, Unavailable
from server.storage.reads import Reads

_log = structlog.get_logger(__name__)

_PATIENCE_SECONDS = 3.0
_BRANCH = 50
"""As many messages of a branch are told with it; of a longer one, clients take a snapshot."""


class Telling:
    """Call it with what was decided."""

    def __init__(self, reads: Reads, announcer: Announcer, signals: Signals) -> None:
        self._reads = reads
        self._announcer = announcer
        self._signals = signals

    async def __call__(self, decided: Decided, place: int | None = None) -> None:
        """Tell it; nothing that goes wrong here changes what was decided.

        `place`: of the reply in the queue, if it was asked for already.
        """
        if not decided.events:
            return
        conversation = decided.state.id
        line = open_after(decided.state, decided.events)
        first = first_in_line(line)
        records: list[Record] = []
        to_queue: tuple[int, events.ReplyRequested] | None = None
        queue_place = 0
        for version, event in enumerate(decided.events, decided.version - len(decided.events) + 1):
            if isinstance(event, events.ReplyRequested):
                at = max(place or await self._announcer.place_again(event), len(line))
                records.append(queued(owed(event, version, at), at))
                if event.reply == first:
                    to_queue, queue_place = (version, event), at
            else:
                records += await self._records(event, version)
        about: list[Record] = []
        if any(isinstance(event, _ABOUT) for event in decided.events):
            about = await self._about(conversation)
        told = False
        with suppress(TimeoutError):
            # Who sends is not kept waiting for an engine that only is silent: there the sweeper tells, and queues.
            async with asyncio.timeout(_PATIENCE_SECONDS if to_queue else None):
                if to_queue is None:
                    told = await self._announcer.publish(conversation, [*records, *about])
                else:
                    said = _asked(decided, to_queue[1])
                    told = await self._announcer.hand_over(
                        conversation, [*records, *about], to_queue, queue_place, said
                    )
        if to_queue is not None and not told:
            _log.warning("accepted, not told: left to the sweeper", reply=to_queue[1].reply)
        if about and told:
            await self._until_told(conversation, about)
        for event in decided.events:
            if isinstance(event, events.ReplyInterrupted):
                await self._stop(event.reply)

    async def _records(self, event: events.Event, version: int) -> list[Record]:
        head = {"conversation": event.conversation}
        match event:
            case events.MessageCreated():
                return [Record(message_created(event, version).body())]
            case events.ReplyCancelled():
                return [ending(event)]
            case events.MessageEdited(message=message, anew=anew):
                return [Record(wire.MessageEdited(**head, message=message, anew=anew).body())]
            case events.MessageRetracted(message=message):
                return [Record(wire.MessageRetracted(**head, message=message).body())]
            case events.MessageArchived(message=message, archived=archived, turns=turns):
                told = wire.MessageArchived(**head, message=message, archived=archived, turns=turns)
                return [Record(told.body())]
            case events.BranchChosen():
                return await self._branch(event, version)
            case events.ConversationDeleted():
                return [Record(wire.ConversationDeleted(**head).body())]
            case _:
                return []

    async def _branch(self, event: events.BranchChosen, version: int) -> list[Record]:
        messages = None
        if len(event.path) <= _BRANCH:
            try:
                found = await self._reads.some_messages(event.path) if event.path else []
                messages = [message.model_dump(mode="json") for message in found]
            except Unavailable as error:
                _log.warning("cannot read a branch: clients take a snapshot", error=str(error))
        chosen = wire.BranchChosen(
            conversation=event.conversation, head=event.head, version=version, messages=messages
        )
        return [Record(chosen.body())]

    async def _until_told(self, conversation: str, about: list[Record]) -> None:
        """Who has changed it since that was read may have told it before: what was told last is what is stored."""
        while (now := await self._about(conversation)) and now != about:
            if not await self._announcer.publish(conversation, now):
                return
            about = now

    async def _about(self, conversation: str) -> list[Record]:
        """As it is now."""
        try:
            state = await self._reads.conversation(conversation)
        except (NotFound, Unavailable):
            return []
        return [Record(conversation_updated(state).body())]

    async def _stop(self, reply: str) -> None:
        try:
            await self._signals.send(SIGNAL, reply)
        except EngineAway:
            _log.warning("cancel signal lost: its worker will see the mark", reply=reply)


def _asked(decided: Decided, requested: events.ReplyRequested) -> dict[str, str]:
    """What a reply answers, where that was all that was said by the decision: an edit leaves a branch as well."""
    until = decided.version
    for event in decided.events:
        if (
            isinstance(event, events.MessageCreated)
            and event.message == requested.message
            and not event.siblings
        ):
            return asked(event, until - len(decided.events), until)
    return {}


_ABOUT = (events.ConversationChanged, events.ConversationArchived)
