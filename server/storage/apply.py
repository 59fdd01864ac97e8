"""From an event to the documents that follow from it: the one place that changes them.

Runs inside the transaction that appends the event. Applied in order to empty collections, the stored events make the
same documents again.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from server.domain import events
from server.domain.errors import StaleAttempt
from server.domain.message import Status
from server.storage.documents import ConversationDocument, MessageDocument, ReplyDocument

Session = AsyncClientSession
_STATUS: dict[type[events.ReplyEnded], Status] = {
    events.ReplyCompleted: "completed",
    events.ReplyFailed: "failed",
    events.ReplyCancelled: "cancelled",
}


async def apply(event: events.Event, session: Session) -> None:
    """Change the documents. Errors: `StaleAttempt` for a reply that is in newer hands, or has ended."""
    handler = _HANDLERS[type(event)]
    await handler(event, session)


async def _conversation_created(event: events.ConversationCreated, session: Session) -> None:
    document = ConversationDocument(
        id=event.conversation,
        owner=event.owner,
        members=event.members,
        title=event.title,
        character=event.character,
        settings=event.settings,
        created_at=event.at,
        updated_at=event.at,
    )
    await document.insert(session=session)


async def _conversation_changed(event: events.ConversationChanged, session: Session) -> None:
    said = event.model_dump(include={"title", "character", "members", "settings"})
    await _set_conversation(event.conversation, said, session)


async def _conversation_deleted(event: events.ConversationDeleted, session: Session) -> None:
    await _set_conversation(event.conversation, {"deleted": True}, session)


async def _message_created(event: events.MessageCreated, session: Session) -> None:
    message = MessageDocument(
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
    await message.insert(session=session)
    await _set_conversation(event.conversation, {"updated_at": event.at, "last_seq": event.seq}, session)


async def _reply_requested(event: events.ReplyRequested, session: Session) -> None:
    message = MessageDocument(
        id=event.reply,
        conversation=event.conversation,
        seq=event.seq,
        role="assistant",
        user=None,
        text="",
        status="queued",
        created_at=event.at,
        reply_to=event.message,
    )
    reply = ReplyDocument(
        id=event.reply,
        conversation=event.conversation,
        message=event.message,
        user=event.user,
        status="queued",
        settings=event.settings,
        created_at=event.at,
    )
    await message.insert(session=session)
    await reply.insert(session=session)
    await _set_conversation(event.conversation, {"last_seq": event.seq}, session)


async def _reply_started(event: events.ReplyStarted, session: Session) -> None:
    started = {"status": "running", "provider": event.provider, "model": event.model}
    work = {**started, "attempt": event.attempt, "worker": event.worker, "started_at": event.at}
    await _set_reply(event.reply, event.attempt - 1, work, session)
    await _set_message(event.reply, started, session)


async def _reply_ended(event: events.ReplyEnded, session: Session) -> None:
    status = _STATUS[type(event)]
    code = event.code if isinstance(event, events.ReplyFailed) else None
    cost = event.cost if isinstance(event, events.ReplyCompleted) else None
    trouble = {"code": event.code, "detail": event.detail} if isinstance(event, events.ReplyFailed) else None
    work = {
        "status": status,
        "ended_at": event.at,
        "length": event.length,
        "sha256": event.sha256,
        "usage": event.usage.model_dump() if event.usage else None,
        "timing": event.timing.model_dump(),
        "cost": cost,
        "error": trouble,
    }
    await _set_reply(event.reply, event.attempt, work, session)
    await _set_message(event.reply, {"status": status, "text": event.text, "error": code}, session)
    await _set_conversation(event.conversation, {"updated_at": event.at}, session)


async def _set_conversation(conversation: str, said: dict[str, Any], session: Session) -> None:
    collection = ConversationDocument.collection()
    await collection.update_one({"_id": conversation}, {"$set": said}, session=session)


async def _set_message(message: str, said: dict[str, Any], session: Session) -> None:
    collection = MessageDocument.collection()
    await collection.update_one({"_id": message}, {"$set": said}, session=session)


async def _set_reply(reply: str, attempt: int, said: dict[str, Any], session: Session) -> None:
    """The fence: the reply must be in the hands of `attempt`, and not have ended."""
    collection = ReplyDocument.collection()
    held = {"_id": reply, "attempt": attempt, "status": {"$in": ["queued", "running"]}}
    result = await collection.update_one(held, {"$set": said}, session=session)
    if result.matched_count == 0:
        raise StaleAttempt(f"attempt {attempt} at {reply} is over")


_HANDLERS: dict[type[Any], Callable[[Any, Session], Awaitable[None]]] = {
    events.ConversationCreated: _conversation_created,
    events.ConversationChanged: _conversation_changed,
    events.ConversationDeleted: _conversation_deleted,
    events.MessageCreated: _message_created,
    events.ReplyRequested: _reply_requested,
    events.ReplyStarted: _reply_started,
    events.ReplyCompleted: _reply_ended,
    events.ReplyFailed: _reply_ended,
    events.ReplyCancelled: _reply_ended,
}
