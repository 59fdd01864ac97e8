"""The read repository: documents as the domain's values. It never writes, and raises `NotFound` and `Unavailable`."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING

from server.domain.audit import AuditEntry, without_text
from server.domain.branches import Place, Tree
from server.domain.character import Character
from server.domain.conversation import Conversation, OpenReply, missing
from server.domain.errors import NotFound
from server.domain.message import Message, Sent
from server.domain.reply import Reply
from server.storage.causal import preferred
from server.storage.database import reachable
from server.storage.documents import (
    CharacterDocument,
    ConversationDocument,
    EventDocument,
    MessageDocument,
    ReplyDocument,
)
from server.storage.pages import Cut, Order, Page, page

_BY_VERSION = Order("version")
_BY_SEQ = Order("seq", from_the_end=True)
_NEWEST_FIRST = Order("created_at", descending=True)


_PLACE = [field.name for field in fields(Place) if field.name != "id"]


class Reads:
    """What queries, and the checks of commands, are made of."""

    async def conversation(self, conversation: str) -> Conversation:
        """One conversation, unless it was deleted."""
        return (await self.conversation_at(conversation))[0]

    async def conversation_at(self, conversation: str) -> tuple[Conversation, int]:
        """The same, with the version of its stream that a decision is based on."""
        async with reachable():
            # Every send begins here: without the documents' own model between the driver and the domain.
            found = await ConversationDocument.collection().find_one({"_id": conversation})
        if found is None or found["deleted"]:
            raise missing()
        return _conversation(found), found["version"]

    async def conversations_among(self, conversations: Sequence[str]) -> list[Conversation]:
        """Those of these that are there."""
        wanted = {"_id": {"$in": list(conversations)}, "deleted": False}
        async with reachable():
            found = await ConversationDocument.find(wanted).to_list()
        return [Conversation.model_validate(document) for document in found]

    async def conversations_or_errors(
        self, conversations: Sequence[str]
    ) -> list[Conversation | BaseException]:
        """What `conversation` answers to each of them, in one look, however many."""
        async with reachable():
            found = (
                await ConversationDocument.collection().find({"_id": {"$in": list(conversations)}}).to_list()
            )
        known = {one["_id"]: _conversation(one) for one in found if not one["deleted"]}
        return [known.get(one) or missing() for one in conversations]

    async def messages(self, conversation: str, cut: Cut) -> Page[Message]:
        """A page of the chosen branch, in conversation order; without a cursor, the newest."""
        async with reachable():
            found, following, previous = await page(
                MessageDocument, {"conversation": conversation, "chosen": True}, _BY_SEQ, cut
            )
        return Page(items=[Message.model_validate(d) for d in found], next=following, previous=previous)

    async def around(self, message: Message, limit: int) -> Page[Message]:
        """A page of the chosen branch with this message of it in the middle; on from there by its cursors."""
        place = _BY_SEQ.place(message.seq, message.id)
        more_before, more_after = (limit - 1) // 2, limit // 2
        # Where there is no room for any, it is still said whether there are some.
        before = await self.messages(message.conversation, Cut(before=place, limit=max(1, more_before)))
        after = await self.messages(message.conversation, Cut(after=place, limit=max(1, more_after)))
        items, previous, following = [message], before.previous, after.next
        if more_before:
            items = [*before.items, *items]
        elif before.items:
            previous = place
        if more_after:
            items += after.items
        elif after.items:
            following = place
        return Page(items=items, next=following, previous=previous)

    async def branch(self, last: Message, limit: int) -> list[Message]:
        """The last `limit` messages of the branch that leads to a message, that one at the end.

        On the chosen branch, which is the usual case, that is one walk of an index; beside it, as many as it takes.
        """
        wanted: dict[str, Any] = {"conversation": last.conversation, "chosen": last.chosen}
        found: list[Message] = [last]
        while len(found) < limit and (parent := found[-1].parent) is not None:
            known = {m.id: m for m in await self._before(wanted, found[-1].seq, limit - len(found))}
            before = len(found)
            while len(found) < limit and (up := known.get(found[-1].parent or "")) is not None:
                found.append(up)
            if len(found) == before:
                found.append(await self.message(parent))  # the branch was chosen, or left, at this moment
            wanted = {"conversation": last.conversation}
        return found[::-1]

    async def how_many_before(self, conversation: str, parent: str, seq: int, *, chosen: bool) -> int:
        """How many messages of its branch came before one with this parent; one walk of an index where it is chosen."""
        if not chosen:
            return len((await self.tree(conversation)).path(parent))
        wanted = {"conversation": conversation, "chosen": True, "seq": {"$lt": seq}}
        async with reachable():
            return await MessageDocument.collection().count_documents(wanted)

    async def lineage(
        self, conversation: str, last: str, known: Collection[str], after: int, most: int
    ) -> list[Message] | None:
        """The branch from a message down to the first whose parent is `known`.

        Only the first `most` messages after `after`, a `seq`, are looked at; None where it is not among those.
        """
        wanted = {"conversation": conversation, "seq": {"$gt": after}}
        near = {message.id: message for message in await self._messages(wanted, ASCENDING, most)}
        found: list[Message] = []
        up: str | None = last
        while up is not None and (one := near.get(up)) is not None:
            found.append(one)
            if one.parent in known:
                return found[::-1]
            up = one.parent
        return None

    async def named_since(self, conversation: str, version: int, most: int) -> set[str] | None:
        """The messages and replies that events after a version name; None where there are more than `most`."""
        wanted = {"stream": conversation, "version": {"$gt": version}}
        fields = {"_id": 0, "data.message": 1, "data.reply": 1}
        async with reachable():
            rows = await EventDocument.collection().find(wanted, fields).limit(most + 1).to_list()
        if len(rows) > most:
            return None
        return {name for row in rows for key in ("message", "reply") if (name := row["data"].get(key))}

    async def _before(self, wanted: dict[str, Any], seq: int, limit: int) -> list[Message]:
        return await self._messages({**wanted, "seq": {"$lt": seq}}, DESCENDING, limit)

    async def _messages(self, wanted: dict[str, Any], direction: int, limit: int = 0) -> list[Message]:
        """By `seq`. Every reply reads some: without the documents' own model between the driver and the domain."""
        async with reachable():
            rows = MessageDocument.collection().find(wanted).sort("seq", direction).limit(limit)
            return [_message(row) async for row in rows]

    async def tree(self, conversation: str) -> Tree:
        """All messages of a conversation, without their texts."""
        async with reachable():
            found = MessageDocument.collection().find({"conversation": conversation}, _PLACE)
            return Tree.of([_place(document) async for document in found])

    async def some_messages(self, messages: Sequence[str]) -> list[Message]:
        """These messages, in conversation order."""
        return await self._messages({"_id": {"$in": list(messages)}}, ASCENDING)

    async def shown_among(self, messages: Sequence[str]) -> set[str]:
        """Those of these that lie on their chosen branch, and were neither taken back nor put away."""
        gone = {"retracted": {"$ne": True}, "archived": {"$ne": True}}
        wanted = {"_id": {"$in": list(messages)}, "chosen": True} | gone
        async with reachable():
            return {row["_id"] async for row in MessageDocument.collection().find(wanted, ["_id"])}

    async def line(self, conversation: str) -> dict[str, OpenReply]:
        """The replies that a conversation still owes, also one that was deleted."""
        async with reachable():
            found = await ConversationDocument.collection().find_one({"_id": conversation}, {"open": 1})
        owed: dict[str, Any] = (found or {}).get("open", {})
        return {reply: OpenReply.model_validate(opened) for reply, opened in owed.items()}

    async def message(self, message: str) -> Message:
        """One message."""
        async with reachable():
            found = await MessageDocument.collection().find_one({"_id": message})
        if found is None:
            raise NotFound("message")
        return _message(found)

    async def events(self, conversation: str, cut: Cut) -> Page[AuditEntry]:
        """A page of the stored events, the oldest first; without the text of what was taken back since."""
        async with reachable():
            found, following, previous = await page(EventDocument, {"stream": conversation}, _BY_VERSION, cut)
            named = [name for d in found for key in ("message", "reply") if (name := d.data.get(key))]
            gone = {"_id": {"$in": named}, "retracted": True}
            retracted = {row["_id"] async for row in MessageDocument.collection().find(gone, ["_id"])}
        return Page(items=[_entry(d, retracted) for d in found], next=following, previous=previous)

    async def sent(self, conversation: str, user: str, key: str) -> tuple[Sent, str] | None:
        """What was sent under an idempotency key, and its text, which is empty where it was taken back."""
        async with reachable():
            found = await MessageDocument.find_one({"conversation": conversation, "user": user, "key": key})
            if found is None:
                return None
            reply = await MessageDocument.find_one({"reply_to": found.id}, sort=[("seq", 1)])
        return Sent(message=found.id, reply=reply.id if reply else None, duplicate=True), found.text

    async def regenerated(self, conversation: str, key: str) -> tuple[Sent, str] | None:
        """Which reply was asked for under an idempotency key, and by whom."""
        async with reachable():
            found = await MessageDocument.find_one({"conversation": conversation, "user": None, "key": key})
            reply = await ReplyDocument.get(found.id) if found is not None else None
        if reply is None:
            return None
        return Sent(message=reply.message, reply=reply.id, duplicate=True), reply.user

    async def all_messages(self, conversation: str) -> list[Message]:
        """All messages of a conversation, on all branches, in their order."""
        return await self._messages({"conversation": conversation}, ASCENDING)

    async def about_texts(self, conversation: str) -> dict[str, dict[str, object]]:
        """What the transcript knows by now of the messages of a conversation: language, topics and mood, by id."""
        collection = preferred(MessageDocument.collection().database["transcript"])
        fields = {"language": 1, "topics": 1, "sentiment": 1}
        known = {"conversation": conversation, "topics": {"$exists": True}}
        async with reachable():
            return {row.pop("_id"): dict(row) async for row in collection.find(known, fields)}

    async def reply(self, reply: str) -> Reply:
        """One reply."""
        async with reachable():
            found = await ReplyDocument.collection().find_one({"_id": reply})
        if found is None:
            raise NotFound("reply")
        return Reply.model_validate({**found, "id": found["_id"]})

    async def cancelled_among(self, replies: list[str]) -> list[str]:
        """Which of these somebody wants to stop."""
        async with reachable():
            wanted = {"_id": {"$in": replies}, "cancel_requested": True}
            return [found.id for found in await ReplyDocument.find(wanted).to_list()]

    async def owed(self, before: datetime, after: tuple[datetime, str] | None, limit: int) -> list[Reply]:
        """Replies that were accepted before a moment and have not ended, the oldest first; on from `after`."""
        wanted: dict[str, Any] = {
            "status": {"$in": ["queued", "running"]},
            "created_at": {"$lt": before},
        }
        if after is not None:
            moment, reply = after
            wanted["$or"] = [
                {"created_at": {"$gt": moment}},
                {"created_at": moment, "_id": {"$gt": reply}},
            ]
        async with reachable():
            found = await ReplyDocument.find(wanted).sort("created_at", "_id").limit(limit).to_list()
        return [Reply.model_validate(document) for document in found]

    async def character(self, character: str) -> Character:
        """One character."""
        async with reachable():
            found = await CharacterDocument.get(character)
        if found is None:
            raise NotFound("character")
        return Character.model_validate(found)

    async def characters(self, owner: str, cut: Cut) -> Page[Character]:
        """Somebody's characters, the newest first."""
        async with reachable():
            found, following, previous = await page(CharacterDocument, {"owner": owner}, _NEWEST_FIRST, cut)
        return Page(items=[Character.model_validate(d) for d in found], next=following, previous=previous)


def _conversation(document: dict[str, Any]) -> Conversation:
    return Conversation.model_validate({**document, "id": document["_id"]})


def _message(row: dict[str, Any]) -> Message:
    return Message.model_validate({**row, "id": row["_id"]})


def _place(document: dict[str, Any]) -> Place:
    said: dict[str, Any] = {name: value for name, value in document.items() if name in _PLACE}
    said["siblings"] = tuple(said.get("siblings", ()))
    return Place(id=document["_id"], **said)


def _entry(document: EventDocument, retracted: set[str]) -> AuditEntry:
    data, meta = document.data, document.meta
    void = data.get("reply" if document.type.startswith("reply.") else "message") in retracted
    return AuditEntry(
        id=document.id,
        version=document.version,
        type=document.type,
        form=document.form,
        at=data["at"],
        actor=meta["actor"],
        correlation=meta.get("correlation"),
        causation=meta.get("causation"),
        data=without_text(data) if void else data,
    )
