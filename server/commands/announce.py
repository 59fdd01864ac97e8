"""After the commit: tell the clients, and the queue.

Nothing here decides anything. When the log or the queue is away the commit still stands: clients see it in their
next snapshot, and what no queue has is found and queued by the sweeper.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import structlog

from realtime.errors import Overloaded as Full
from realtime.errors import Unavailable
from realtime.handover.contract import Given, Handover, OneByOne
from realtime.log.contract import Close, Log, Open, Position, Record
from realtime.queue.contract import Queue
from server.domain import events, wire
from server.domain.answer import Span, Usage
from server.domain.conversation import Conversation
from server.domain.errors import Overloaded
from server.domain.settings import ReplySettings

_log = structlog.get_logger(__name__)

_RETRY_SECONDS = 2.0
_PLACE_SECONDS = 1.0
_CARRIED = 4_000
"""Code points of a message that a job carries."""


class Announcer:
    """Publishes what was committed. `default_lane`: whose a reply is that names no provider.

    `handover`: where log and queue can be told together.
    """

    def __init__(self, log: Log, queue: Queue, default_lane: str, handover: Handover | None = None) -> None:
        self._log = log
        self._hand_over = handover or OneByOne(log, queue)
        self._queue = queue
        self._default_lane = default_lane

    def lane(self, settings: ReplySettings) -> str:
        """The lane of the queue for a reply: each provider has its own, so that a slow one holds up no other."""
        return settings.provider or self._default_lane

    async def place(self, user: str, settings: ReplySettings) -> int:
        """The place in the queue of a reply that is about to be accepted, from 1. Errors: `Overloaded`.

        Without the queue it is accepted all the same: the store keeps it, and the sweeper finds it there.
        """
        try:
            async with asyncio.timeout(_PLACE_SECONDS):
                return await self._queue.place(self.lane(settings), user)
        except (Unavailable, TimeoutError):
            return 1
        except Full as error:
            detail = f"Too many replies of this provider wait: {error}."
            raise Overloaded(detail, retry_after=_RETRY_SECONDS) from error

    async def publish(self, conversation: str, records: list[Record]) -> bool:
        """Append to the conversation's log; False when it is away."""
        try:
            outcomes = await self._log.append(conversation, records)
        except Unavailable as error:
            _log.warning("committed, not published", conversation=conversation, error=str(error))
            return False
        self._refused(conversation, outcomes)
        return True

    async def hand_over(
        self,
        conversation: str,
        records: list[Record],
        requested: tuple[int, events.ReplyRequested],
        place: int,
        said: Mapping[str, str],
    ) -> bool:
        """Publish, and give a reply to the workers, as `publish` and `enqueue` do; False when the log is away."""
        version, event = requested
        payload = owed(event, version, place) | dict(said)
        job = Given(self.lane(event.settings), event.reply, event.user, payload)
        try:
            outcomes, queued = await self._hand_over(conversation, records, job)
        except Unavailable as error:
            _log.warning("committed, not published", conversation=conversation, error=str(error))
            return False
        self._refused(conversation, outcomes)
        if not queued:
            _log.warning("accepted, not queued: left to the sweeper", reply=event.reply)
        return True

    def _refused(self, conversation: str, outcomes: Sequence[Position | Exception]) -> None:
        refused = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if refused:
            _log.info("a newer attempt has the draft", conversation=conversation, refused=len(refused))

    async def sent(
        self,
        created: tuple[int, events.MessageCreated] | None,
        requested: tuple[int, events.ReplyRequested],
        *,
        retracted: bool = False,
    ) -> None:
        """A reply that is owed, once more, with the message that it answers: to the clients first, then to the queue.

        Each comes with its version in the stream. Of a message that was taken back since, its place is told.
        """
        version, event = requested
        records: list[Record] = []
        if created is not None:
            at, message = created
            told = message.model_copy(update={"text": ""}) if retracted else message
            records.append(Record(message_created(told, at).body()))
            if retracted:
                gone = wire.MessageRetracted(conversation=message.conversation, message=message.message)
                records.append(Record(gone.body()))
        place = await self.place_again(event)
        records.append(queued(owed(event, version, place), place))
        await self.publish(event.conversation, records)
        await self.enqueue(event, version, place)

    async def enqueue(self, requested: events.ReplyRequested, version: int, place: int) -> None:
        """Give a reply to the workers, of which the clients know its place."""
        lane, payload = self.lane(requested.settings), owed(requested, version, place)
        try:
            await self._queue.enqueue(lane, requested.reply, requested.user, payload)
        except Unavailable as error:
            _log.warning("accepted, not queued: left to the sweeper", reply=requested.reply, error=str(error))

    async def forget(self, reply: str, settings: ReplySettings) -> None:
        """A reply has ended before a worker had it: it needs no place any more."""
        try:
            await self._queue.drop(self.lane(settings), reply)
        except Unavailable as error:
            _log.warning("ended, still queued: its worker will see", reply=reply, error=str(error))

    async def place_again(self, requested: events.ReplyRequested) -> int:
        """The place of a reply that was accepted already."""
        try:
            return await self.place(requested.user, requested.settings)
        except Overloaded:
            return 1  # it was promised already


def message_created(event: events.MessageCreated, version: int) -> wire.MessageCreated:
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
        parent=event.parent,
        siblings=event.siblings,
        key=event.key,
    )
    return wire.MessageCreated(conversation=event.conversation, message=message, version=version)


def conversation_updated(state: Conversation) -> wire.ConversationUpdated:
    """As clients see it."""
    return wire.ConversationUpdated(
        conversation=state.id,
        title=state.title,
        character=state.character,
        members=state.members,
        settings=state.settings.model_dump(exclude_none=True),
        busy=state.busy,
        archived=state.archived,
    )


def reply_ended(event: events.ReplyEnded) -> wire.Event:
    """As clients see it."""
    usage = _usage(event.usage)
    timing = wire.TimingBody(**event.timing.model_dump())
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
                timing=timing,
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
                usage=usage,
                cost=event.cost,
                timing=timing,
                provenance=provenance,
            )
        case events.ReplyCancelled():
            return wire.ReplyCancelled(
                conversation=event.conversation,
                reply=event.reply,
                length=event.length,
                usage=usage,
                cost=event.cost,
                timing=timing,
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


def owed(requested: events.ReplyRequested, version: int, place: int) -> dict[str, str]:
    """What a job says: which reply is owed, and what its clients were told of it."""
    return {
        "reply": requested.reply,
        "conversation": requested.conversation,
        "message": requested.message,
        "seq": str(requested.seq),
        "at": requested.at.isoformat(),
        "siblings": " ".join(requested.siblings),
        "version": str(version),
        "place": str(place),
    }


def asked(created: events.MessageCreated, since: int, until: int) -> dict[str, str]:
    """What a job may say besides: the message that it answers, where that was all that was said between two versions.

    A long one is left to be read from the store.
    """
    if len(created.text) > _CARRIED:
        return {}
    return {
        "since": str(since),
        "until": str(until),
        "asked_seq": str(created.seq),
        "parent": created.parent or "",
        "text": created.text,
    }


def queued(job: Mapping[str, str], position: int) -> Record:
    """A reply waits at this place; refused by the log once a worker has begun it."""
    event = wire.ReplyQueued(
        conversation=job["conversation"],
        reply=job["reply"],
        message=job["message"],
        seq=int(job["seq"]),
        position=position,
        created_at=datetime.fromisoformat(job["at"]),
        siblings=job.get("siblings", "").split(),
        version=int(job.get("version", "0")),
    )
    header = draft_header(status="queued", position=position)
    return Record(event.body(), Open(job["reply"], 0, header))
