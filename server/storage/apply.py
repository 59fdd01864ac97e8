"""From events to the documents that follow from them: the one place that says so, without any I/O.

Applied in order to empty collections, the stored events make the same documents again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo import InsertOne, UpdateMany, UpdateOne

from server.domain import events
from server.domain.message import Status
from server.storage.documents import (
    ConversationDocument,
    MessageDocument,
    ReplyDocument,
    StoredDocument,
    UsageDocument,
)

Write = InsertOne[dict[str, Any]] | UpdateOne | UpdateMany

_STATUS: dict[type[events.ReplyEnded], Status] = {
    events.ReplyCompleted: "completed",
    events.ReplyFailed: "failed",
    events.ReplyCancelled: "cancelled",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """The stored event's own id, and what it belongs to: documents that go on to cause others remember it."""

    event: str | None = None
    correlation: str | None = None


@dataclass(slots=True)
class Effects:
    """What some events of one conversation change, so that each collection is written once."""

    conversation: dict[str, Any] = field(default_factory=dict[str, Any])
    """Fields of the conversation's own document; all of them for one that is new."""
    opened: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Replies that are owed from now on, by id."""
    attempts: dict[str, int] = field(default_factory=dict[str, int])
    """Replies that were taken up."""
    closed: set[str] = field(default_factory=set[str])
    """Replies that have ended."""
    messages: list[Write] = field(default_factory=list[Write])
    replies: list[Write] = field(default_factory=list[Write])
    usage: list[Write] = field(default_factory=list[Write])
    fences: int = 0
    """How many updates among `replies` must find the reply in the hands of their attempt, and not ended."""
    marks: list[UpdateOne] = field(default_factory=list[UpdateOne])
    """Updates of replies that may find nothing to change any more."""
    reason: Reason = field(default_factory=Reason)
    """Of the event that is being applied."""

    def new_conversation(self, version: int) -> dict[str, Any]:
        """The document of a conversation that begins with these events."""
        still = {reply: said for reply, said in self.opened.items() if reply not in self.closed}
        for reply, attempt in self.attempts.items():
            if reply in still:
                still[reply]["attempt"] = attempt
        return self.conversation | {"version": version, "open": still}

    def conversation_update(self, count: int) -> dict[str, Any]:
        """The change of an earlier one, by so many events."""
        said = dict(self.conversation)
        for reply, opened in self.opened.items():
            if reply not in self.closed:
                said[f"open.{reply}"] = opened | {"attempt": self.attempts.get(reply, 0)}
        for reply, attempt in self.attempts.items():
            if reply not in self.opened and reply not in self.closed:
                said[f"open.{reply}.attempt"] = attempt
        gone = {f"open.{reply}": "" for reply in self.closed if reply not in self.opened}
        change: dict[str, Any] = {"$inc": {"version": count}}
        if said:
            change["$set"] = said
        if gone:
            change["$unset"] = gone
        return change


def effects(happened: Sequence[events.Event], reasons: Sequence[Reason] = ()) -> Effects:
    """What follows from the events, in their order; `reasons` are theirs, where they are known."""
    all_of_them = Effects()
    for place, event in enumerate(happened):
        all_of_them.reason = reasons[place] if reasons else Reason()
        _HANDLERS[type(event)](event, all_of_them)
    return all_of_them


def stored(document: StoredDocument) -> dict[str, Any]:
    """A document as MongoDB gets it."""
    return document.model_dump(by_alias=True, exclude={"revision_id"})


def _conversation_created(event: events.ConversationCreated, to: Effects) -> None:
    document = ConversationDocument(
        id=event.conversation,
        owner=event.owner,
        members=event.members,
        title=event.title,
        character=event.character,
        settings=event.settings,
        busy=event.busy,
        created_at=event.at,
        updated_at=event.at,
    )
    to.conversation |= stored(document)


def _conversation_changed(event: events.ConversationChanged, to: Effects) -> None:
    to.conversation |= event.model_dump(include={"title", "character", "members", "settings", "busy"})


def _conversation_archived(event: events.ConversationArchived, to: Effects) -> None:
    to.conversation["archived"] = event.archived


def _conversation_deleted(event: events.ConversationDeleted, to: Effects) -> None:
    to.conversation["deleted"] = True


def _message_created(event: events.MessageCreated, to: Effects) -> None:
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
        parent=event.parent,
        siblings=event.siblings,
    )
    _set_siblings(event.siblings, to)
    to.messages.append(InsertOne(stored(message)))
    to.conversation |= {"updated_at": event.at, "last_seq": event.seq, "head": event.message}


def _message_imported(event: events.MessageImported, to: Effects) -> None:
    said = event.model_dump(exclude={"type", "message", "at"})
    to.messages.append(InsertOne(stored(MessageDocument(id=event.message, **said))))
    to.conversation |= {"updated_at": event.at, "last_seq": event.seq}
    if event.chosen:
        to.conversation["head"] = event.message


def _message_edited(event: events.MessageEdited, to: Effects) -> None:
    """The other version is a message of its own; the earlier one stays as it was."""


def _message_retracted(event: events.MessageRetracted, to: Effects) -> None:
    gone: dict[str, Any] = {"tool_calls": [], "tool_results": []}
    _set_message(
        event.message, {"text": "", "reasoning": None, "citations": [], **gone, "retracted": True}, to
    )
    to.replies.append(UpdateOne({"_id": event.message}, {"$set": gone}))


def _message_archived(event: events.MessageArchived, to: Effects) -> None:
    _set_message(event.message, {"archived": event.archived, "turns": event.turns}, to)


def _branch_chosen(event: events.BranchChosen, to: Effects) -> None:
    left = {"conversation": event.conversation, "chosen": True, "seq": {"$gt": event.after}}
    to.messages.append(UpdateMany(left, {"$set": {"chosen": False}}))
    if event.left is not None:
        _set_message(event.left, {"tip": event.tip}, to)
    if event.path:
        to.messages.append(UpdateMany({"_id": {"$in": event.path}}, {"$set": {"chosen": True}}))
    to.conversation["head"] = event.head


def _reply_requested(event: events.ReplyRequested, to: Effects) -> None:
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
        parent=event.message,
        siblings=event.siblings,
        key=event.key,
    )
    reply = ReplyDocument(
        id=event.reply,
        conversation=event.conversation,
        message=event.message,
        user=event.user,
        status="queued",
        settings=event.settings,
        created_at=event.at,
        correlation=to.reason.correlation,
        cause=to.reason.event,
    )
    _set_siblings(event.siblings, to)
    to.messages.append(InsertOne(stored(message)))
    to.replies.append(InsertOne(stored(reply)))
    to.conversation |= {"last_seq": event.seq, "head": event.reply}
    to.opened[event.reply] = {"seq": event.seq, "at": event.at, "attempt": 0}


def _reply_regenerated(event: events.ReplyRegenerated, to: Effects) -> None:
    """The other answer is a message of its own; the earlier one stays as it was."""


def _reply_interrupted(event: events.ReplyInterrupted, to: Effects) -> None:
    going = {"_id": event.reply, "status": {"$in": ["queued", "running"]}}
    to.marks.append(UpdateOne(going, {"$set": {"cancel_requested": True}}))


def _reply_restarted(event: events.ReplyRestarted, to: Effects) -> None:
    """The start that follows it says what has changed."""


def _reply_started(event: events.ReplyStarted, to: Effects) -> None:
    started = {"status": "running", "provider": event.provider, "model": event.model}
    work = {**started, "attempt": event.attempt, "worker": event.worker, "started_at": event.at}
    work |= {"step": "generating", "deadline": event.deadline}
    _set_reply(event.reply, event.attempt - 1, work, to)
    _set_message(event.reply, started, to)
    to.attempts[event.reply] = event.attempt


def _reply_generated(event: events.ReplyGenerated, to: Effects) -> None:
    """Its step is that of the end, in the same commit."""


def _usage_recorded(event: events.UsageRecorded, to: Effects) -> None:
    usage = UsageDocument(
        id=event.reply,
        user=event.user,
        conversation=event.conversation,
        provider=event.provider,
        model=event.model,
        cost=event.cost,
        at=event.at,
        **event.usage.model_dump(),
    )
    to.usage.append(InsertOne(stored(usage)))


def _reply_ended(event: events.ReplyEnded, to: Effects) -> None:
    status = _STATUS[type(event)]
    code = event.code if isinstance(event, events.ReplyFailed) else None
    finish = event.finish if isinstance(event, events.ReplyCompleted) else None
    made = event.model_dump(include={"tool_calls", "provenance", "usage", "cost", "timing"})
    trouble = {"code": event.code, "detail": event.detail} if isinstance(event, events.ReplyFailed) else None
    work = {
        "status": status,
        "step": (event.step or status) if isinstance(event, events.ReplyFailed) else status,
        "ended_at": event.at,
        "length": event.length,
        "sha256": event.sha256,
        "error": trouble,
        "finish": finish,
        **made,
    }
    shown = {"status": status, "text": event.text, "error": code, "reasoning": event.reasoning, **made}
    shown |= event.model_dump(include={"citations"})
    if event.provenance:
        # Who wrote the last of it: another than began, where one took over.
        last = event.provenance[-1]
        work |= {"provider": last.provider, "model": last.model}
        shown |= {"provider": last.provider, "model": last.model}
    _set_reply(event.reply, event.attempt, work, to)
    _set_message(event.reply, shown, to)
    to.conversation["updated_at"] = event.at
    to.closed.add(event.reply)


def _tool_results_given(event: events.ToolResultsGiven, to: Effects) -> None:
    said = event.model_dump(include={"results"})["results"]
    to.replies.append(UpdateOne({"_id": event.reply}, {"$set": {"tool_results": said}}))
    _set_message(event.reply, {"tool_results": said}, to)


def _set_siblings(siblings: list[str], to: Effects) -> None:
    """The other versions of a message learn of the new one."""
    if siblings:
        others = {"_id": {"$in": siblings[:-1]}}
        to.messages.append(UpdateMany(others, {"$set": {"siblings": siblings}}))


def _set_message(message: str, said: dict[str, Any], to: Effects) -> None:
    to.messages.append(UpdateOne({"_id": message}, {"$set": said}))


def _set_reply(reply: str, attempt: int, said: dict[str, Any], to: Effects) -> None:
    """The fence: the reply must be in the hands of `attempt`, and not have ended."""
    held = {"_id": reply, "attempt": attempt, "status": {"$in": ["queued", "running"]}}
    to.replies.append(UpdateOne(held, {"$set": said}))
    to.fences += 1


_HANDLERS: dict[type[Any], Callable[[Any, Effects], None]] = {
    events.ConversationCreated: _conversation_created,
    events.ConversationChanged: _conversation_changed,
    events.ConversationArchived: _conversation_archived,
    events.ConversationDeleted: _conversation_deleted,
    events.MessageCreated: _message_created,
    events.MessageEdited: _message_edited,
    events.MessageImported: _message_imported,
    events.MessageRetracted: _message_retracted,
    events.MessageArchived: _message_archived,
    events.BranchChosen: _branch_chosen,
    events.ReplyRequested: _reply_requested,
    events.ReplyRegenerated: _reply_regenerated,
    events.ReplyInterrupted: _reply_interrupted,
    events.ReplyRestarted: _reply_restarted,
    events.ReplyStarted: _reply_started,
    events.ReplyGenerated: _reply_generated,
    events.UsageRecorded: _usage_recorded,
    events.ReplyCompleted: _reply_ended,
    events.ReplyFailed: _reply_ended,
    events.ReplyCancelled: _reply_ended,
    events.ToolResultsGiven: _tool_results_given,
}
