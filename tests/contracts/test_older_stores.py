"""What an earlier version stored is still read: events in the form of today, documents with what was added since."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from uuid_utils import uuid7

from server.domain.events import Event, MessageCreated
from server.domain.ids import new_id
from server.domain.upcasting import Before, upcast
from server.storage.apply import effects
from server.storage.comparison import Comparison
from server.storage.database import database
from server.storage.event_store import EventStore
from server.storage.migrations import migrate
from server.storage.pages import Cut
from server.storage.reads import Reads
from tests.support.random_talk import talking

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CONVERSATION, ADA = new_id("cnv"), "usr_ada"
QUESTION, ANSWER, NEXT, OWED = (new_id("msg") for _ in range(4))


def event(version: int, type_: str, **data: Any) -> dict[str, Any]:
    """An event as the first version stored it: without a form."""
    said = {"conversation": CONVERSATION, "at": NOON.isoformat(), "type": type_, **data}
    meta = {"actor": ADA, "correlation": None}
    identity = new_id("evt")
    return {
        "_id": identity,
        "stream": CONVERSATION,
        "version": version,
        "type": type_,
        "data": said,
        "meta": meta,
    }


def question(version: int, message: str, seq: int) -> dict[str, Any]:
    """Somebody wrote something, before there were branches."""
    said = {"role": "user", "user": ADA, "text": "Hola", "key": None}
    return event(version, "message.created", message=message, seq=seq, **said)


def owed(version: int, reply: str, message: str, seq: int) -> dict[str, Any]:
    """A reply was asked for."""
    return event(version, "reply.requested", reply=reply, message=message, seq=seq, user=ADA, settings={})


EVENTS = [
    event(1, "conversation.created", owner=ADA, members=[], title="Owls", character=None, settings={}),
    question(2, QUESTION, 1),
    owed(3, ANSWER, QUESTION, 2),
    question(4, NEXT, 3),
    owed(5, OWED, NEXT, 4),
]


def message(identity: str, seq: int, role: str, status: str, reply_to: str | None) -> dict[str, Any]:
    """A message as the first version stored it."""
    said = {"user": ADA if role == "user" else None, "text": "Hola", "key": None, "created_at": NOON}
    rest = {"provider": None, "model": None, "error": None, "reply_to": reply_to}
    return (
        {"_id": identity, "conversation": CONVERSATION, "seq": seq, "role": role, "status": status}
        | said
        | rest
    )


def reply(identity: str, asked: str, status: str) -> dict[str, Any]:
    """A reply as the first version stored it."""
    said = {"conversation": CONVERSATION, "message": asked, "user": ADA, "settings": {}, "created_at": NOON}
    return {"_id": identity, "status": status, "attempt": 0} | said


@pytest.fixture
async def store(mongodb_url: str) -> AsyncGenerator[EventStore]:
    """Give a database that an earlier version has left, opened by this one."""
    name = f"test_{uuid7().hex}"
    client: AsyncMongoClient[dict[str, Any]]
    async with AsyncMongoClient(mongodb_url) as client:
        old = client[name]
        await old["events"].insert_many(EVENTS)
        conversation = {"owner": ADA, "members": [], "title": "Owls", "character": None, "settings": {}}
        counters = {"created_at": NOON, "updated_at": NOON, "last_seq": 4, "version": 5, "deleted": False}
        await old["conversations"].insert_one({"_id": CONVERSATION} | conversation | counters)
        messages = [
            message(QUESTION, 1, "user", "completed", None),
            message(ANSWER, 2, "assistant", "completed", QUESTION),
            message(NEXT, 3, "user", "completed", None),
            message(OWED, 4, "assistant", "queued", NEXT),
        ]
        await old["messages"].insert_many(messages)
        await old["replies"].insert_many([reply(ANSWER, QUESTION, "completed"), reply(OWED, NEXT, "queued")])
    async with database(mongodb_url, name) as client:
        yield EventStore(client)
        await client.drop_database(name)


async def test_old_events_are_read_in_todays_form(store: EventStore) -> None:
    """A message knows its parent, which no message did: it came after the one before it."""
    events = [stored.event async for stored in store.replay(CONVERSATION)]
    parents = {event.message: event.parent for event in events if isinstance(event, MessageCreated)}
    assert parents == {QUESTION: None, NEXT: ANSWER}


async def test_old_messages_are_one_branch(store: EventStore) -> None:
    """Each after the one before it, all chosen; the conversation knows its head and what it owes."""
    reads = Reads()
    page = await reads.messages(CONVERSATION, Cut())
    assert [(m.id, m.parent) for m in page.items] == [
        (QUESTION, None),
        (ANSWER, QUESTION),
        (NEXT, ANSWER),
        (OWED, NEXT),
    ]
    conversation = await reads.conversation(CONVERSATION)
    assert conversation.head == OWED
    assert {name: (o.seq, o.attempt) for name, o in conversation.open.items()} == {OWED: (4, 0)}
    branch = await reads.branch(await reads.message(NEXT), 200)
    assert [m.id for m in branch] == [QUESTION, ANSWER, NEXT]


async def test_what_the_old_events_make_today_is_what_was_made_of_the_old_documents(
    store: EventStore,
) -> None:
    """Migrated documents and replayed events agree about the conversation."""
    events: list[Event] = [stored.event async for stored in store.replay(CONVERSATION)]
    made = effects(events).new_conversation(len(events))
    conversation, version = await Reads().conversation_at(CONVERSATION)
    assert version == made["version"]
    assert conversation.head == made["head"]


async def test_what_was_taken_back_loses_all_that_came_with_it(mongodb_url: str) -> None:
    """An earlier version emptied the text alone; other messages keep what they have."""
    said = {"reasoning": "a secret", "citations": [{"url": "x"}], "tool_calls": [{"id": "1"}]}
    results = {"tool_results": [{"id": "1", "output": "another"}]}
    async with AsyncMongoClient[dict[str, Any]](mongodb_url) as client:
        old = client[f"test_{uuid7().hex}"]
        place: dict[str, Any] = {"conversation": CONVERSATION, "parent": None}
        back = {"_id": ANSWER, "seq": 1, "retracted": True, "text": ""}
        await old["messages"].insert_one(back | place | said | results)
        await old["messages"].insert_one({"_id": OWED, "seq": 2, "retracted": False} | place | said)
        await old["replies"].insert_one({"_id": ANSWER, "tool_calls": said["tool_calls"]} | results)
        await migrate(old)
        gone, kept = [await old["messages"].find_one({"_id": name}) for name in (ANSWER, OWED)]
        reply = await old["replies"].find_one({"_id": ANSWER})
        await client.drop_database(old.name)
    assert gone is not None
    assert (gone["reasoning"], gone["citations"], gone["tool_calls"], gone["tool_results"]) == (
        None,
        [],
        [],
        [],
    )
    assert kept is not None
    assert kept["reasoning"] == "a secret"
    assert reply == {"_id": ANSWER, "tool_calls": [], "tool_results": []}


async def test_old_replies_give_their_account_to_their_messages(mongodb_url: str) -> None:
    """What an earlier version kept with the reply alone is told of its message; of others there is nothing to tell."""
    account: dict[str, Any] = {
        "usage": {"input": 3, "output": 5, "exact": True},
        "cost": 0.001,
        "timing": {"queued_ms": 1, "first_token_ms": 2, "total_ms": 3},
    }
    stopped = {"usage": None, "cost": None, "timing": {"queued_ms": 7, "first_token_ms": None, "total_ms": 7}}
    running = {"status": "running", "usage": None, "timing": None}
    async with AsyncMongoClient[dict[str, Any]](mongodb_url) as client:
        old = client[f"test_{uuid7().hex}"]
        names = (QUESTION, ANSWER, NEXT, OWED)
        for seq, name in enumerate(names, 1):
            place = {"conversation": CONVERSATION, "seq": seq, "parent": None, "turns": 0}
            await old["messages"].insert_one({"_id": name, **place})
        replies = [
            {"_id": ANSWER, "status": "completed"} | account,
            {"_id": NEXT, "status": "cancelled"} | stopped,
        ]
        await old["replies"].insert_many([*replies, {"_id": OWED} | running])
        await migrate(old)
        rows = [await old["messages"].find_one({"_id": name}) for name in names]
        told = [{name: row[name] for name in account if name in row} for row in rows if row is not None]
        await old["migrations"].delete_many({})
        await migrate(old)
        again = [await old["messages"].find_one({"_id": name}) for name in names]
        await client.drop_database(old.name)
    assert told == [{}, account, stopped, {}]
    assert again == rows


async def test_after_that_the_events_make_the_same_documents_again(mongodb_url: str, redis_url: str) -> None:
    """A house of an earlier version differs from its events by what its messages do not say; migrated, by nothing."""
    chance = Random(3)
    async with talking(mongodb_url, redis_url) as talk:
        await talk.begin()
        talk.log.holding = False
        for _ in range(60):
            await talk.do(chance.choice(("say", "work", "work")), chance)
        old = talk.client[talk.name]
        account = dict.fromkeys(("usage", "cost", "timing"), "")
        await old["messages"].update_many({}, {"$unset": account})
        await old["migrations"].delete_many({})
        before = [one async for one in Comparison(talk.client, talk.name).run()]
        await migrate(old)
        after = [one async for one in Comparison(talk.client, talk.name).run()]
    assert {d.field for one in before for d in one.differences} == set(account)
    assert [d for one in after for d in one.differences] == []


def test_an_upcaster_leads_through_every_form() -> None:
    """What is of today already stays as it is; and nothing is changed in place."""
    data = {"type": "message.created", "message": "msg_2"}
    before = Before(message="msg_1")
    assert upcast("message.created", 1, data, before) == data | {"parent": "msg_1"}
    assert upcast("message.created", 2, data, before) == data
    assert "parent" not in data
