"""After the commit: tell the clients, and the queue.

Nothing here decides anything. When the log or the queue is away the commit still stands: clients see it in their
next snapshot, and what no queue has is found and queued by the sweeper.
"""

from typing import Any

import msgspec
import structlog

from realtime.errors import Overloaded, Unavailable
from realtime.log.contract import Close, Log, Open, Record
from realtime.queue.contract import Queue
from server.domain import events, wire
from server.domain.answer import Span, Usage

_log = structlog.get_logger(__name__)

LANE = "replies"
"""The one lane today; a provider of its own speed will get one of its own."""


class Announcer:
    """Publishes what was committed."""

    def __init__(self, log: Log, queue: Queue) -> None:
        self._log = log
        self._queue = queue

    async def publish(self, conversation: str, records: list[Record]) -> bool:
        """Append to the conversation's log; False when it is away."""
        try:
            outcomes = await self._log.append(conversation, records)
        except Unavailable as error:
            _log.warning("committed, not published", conversation=conversation, error=str(error))
            return False
        refused = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if refused:
            _log.info("a newer attempt has the draft", conversation=conversation, refused=len(refused))
        return not refused

    async def sent(
        self, created: events.MessageCreated | None, requested: events.ReplyRequested | None
    ) -> None:
        """A message and the reply that is owed: to the clients first, then to the queue."""
        records = [Record(message_created(created).body())] if created else []
        conversation = ""
        if created is not None:
            conversation = created.conversation
        if requested is not None:
            conversation = requested.conversation
            records.append(_queued(requested, await self._place()))
        await self.publish(conversation, records)
        if requested is not None:
            await self._enqueue(requested)

    async def updated(self, changed: events.ConversationChanged) -> None:
        """The conversation has another title, character, settings or members."""
        event = wire.ConversationUpdated(
            conversation=changed.conversation,
            title=changed.title,
            character=changed.character,
            members=changed.members,
            settings=changed.settings.model_dump(exclude_none=True),
        )
        await self.publish(changed.conversation, [Record(event.body())])

    async def _place(self) -> int:
        try:
            waiting, _ = await self._queue.depth(LANE)
        except Unavailable:
            return 1
        return waiting + 1

    async def _enqueue(self, requested: events.ReplyRequested) -> None:
        job = {"reply": requested.reply, "conversation": requested.conversation}
        try:
            await self._queue.enqueue(LANE, job)
        except (Unavailable, Overloaded) as error:
            _log.warning("accepted, not queued: left to the sweeper", reply=requested.reply, error=str(error))


def message_created(event: events.MessageCreated) -> wire.MessageCreated:
    """As clients see it."""
    message = wire.MessageBody(
        id=event.message,
        conversation=event.conversation,
        seq=event.seq,
        role=event.role,
        user=event.user,
        text=event.text,
        status="completed",
        created_at=event.at,
        key=event.key,
    )
    return wire.MessageCreated(conversation=event.conversation, message=message)


def reply_ended(event: events.ReplyEnded) -> wire.Event:
    """As clients see it."""
    usage = _usage(event.usage)
    provenance = [_span(span) for span in event.provenance]
    match event:
        case events.ReplyCompleted():
            return wire.ReplyCompleted(
                conversation=event.conversation,
                reply=event.reply,
                length=event.length,
                sha256=event.sha256,
                usage=usage,
                cost=event.cost,
                timing=wire.TimingBody(**event.timing.model_dump()),
                finish=event.finish,
                provenance=provenance,
            )
        case events.ReplyFailed():
            return wire.ReplyFailed(
                conversation=event.conversation,
                reply=event.reply,
                code=event.code,
                detail=event.detail,
                length=event.length,
                provenance=provenance,
            )
        case events.ReplyCancelled():
            return wire.ReplyCancelled(
                conversation=event.conversation,
                reply=event.reply,
                length=event.length,
                usage=usage,
                provenance=provenance,
            )


def _span(span: Span) -> wire.SpanBody:
    said: dict[str, Any] = span.model_dump(exclude={"usage"})
    return wire.SpanBody(**said, usage=_usage(span.usage))


def _usage(usage: Usage | None) -> wire.UsageBody | None:
    return wire.UsageBody(**usage.model_dump()) if usage else None


def ending(event: events.ReplyEnded) -> Record:
    """The last record of a reply: its draft is closed."""
    return Record(reply_ended(event).body(), Close(event.reply, event.attempt))


def draft_header(**fields: object) -> bytes:
    """What a snapshot says of a reply in flight, beside its text."""
    return msgspec.json.encode(fields)


def _queued(requested: events.ReplyRequested, position: int) -> Record:
    event = wire.ReplyQueued(
        conversation=requested.conversation,
        reply=requested.reply,
        message=requested.message,
        seq=requested.seq,
        position=position,
        created_at=requested.at,
    )
    header = draft_header(status="queued", position=position)
    return Record(event.body(), Open(requested.reply, 0, header))
