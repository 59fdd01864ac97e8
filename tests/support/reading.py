"""What the tests of the reading side share: a database of their own, people who write, and followers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from uuid_utils import uuid7

from server.domain import branches
from server.domain import conversation as decisions
from server.domain.conversation import ConversationChange, NewConversation
from server.domain.events import Event, MessageCreated, ReplyCompleted, ReplyRequested, ReplyStarted
from server.domain.message import Edit, NewMessage
from server.domain.reply import Timing, Usage
from server.domain.settings import ReplySettings
from server.enrichment.enricher import Enricher
from server.projections.checkpoints import Checkpoints
from server.projections.contract import Projection
from server.projections.conversation_list import ConversationList
from server.projections.rebuild import Rebuild
from server.projections.search_index import SearchIndex
from server.projections.transcript import Transcript
from server.search.contract import SearchEngine
from server.search.mongodb import MongoSearch
from server.storage.database import Client, database, stopped
from server.storage.event_feed import EventFeed
from server.storage.event_store import EventStore
from server.storage.event_tail import EventTail
from server.storage.reads import Reads
from server.workers.follower import Follower
from tests.support.house import House
from tests.support.waiting import wait_until

ADA, GRACE = "usr_ada", "usr_grace"


def now() -> datetime:
    """To the millisecond, as MongoDB keeps it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@dataclass
class Library:
    """A database, and what is read from it."""

    client: Client
    name: str
    store: EventStore
    reads: Reads
    engine: SearchEngine
    checkpoints: Checkpoints
    projections: dict[str, Projection]

    async def begin(self, owner: str = ADA, **said: Any) -> str:
        """Begin a conversation; its id."""
        events = decisions.create(NewConversation(**said), owner, "", now())
        await self.store.append(events, actor=owner)
        return events[0].conversation

    async def say(self, conversation: str, text: str, user: str = ADA, *, reply: bool = False) -> list[Event]:
        """Send a message, as the command does; its events."""
        state, version = await self.reads.conversation_at(conversation)
        new = NewMessage(text=text, reply=ReplySettings() if reply else False)
        events = decisions.send(state, user, new, ReplySettings(), now())
        await self.store.append(events, expected=version, actor=user)
        return events

    async def end(self, conversation: str, reply: str, text: str) -> None:
        """Let a reply be made: started, and completed with a text."""
        common: dict[str, Any] = {"conversation": conversation, "reply": reply, "attempt": 1}
        started = ReplyStarted(**common, at=now(), worker="w", provider="p", model="m")
        ended = ReplyCompleted(
            **common,
            at=now(),
            text=text,
            length=len(text),
            sha256="",
            usage=Usage(input=2, output=len(text), exact=True),
            timing=Timing(queued_ms=1, first_token_ms=2, total_ms=3),
            cost=0.25,
            finish="stop",
        )
        for event in (started, ended):
            await self.store.append([event], actor="w")

    async def change(self, conversation: str, user: str = ADA, **said: Any) -> None:
        """Change a conversation."""
        state, version = await self.reads.conversation_at(conversation)
        events = decisions.change(state, user, ConversationChange(**said), now())
        await self.store.append(events, expected=version, actor=user)

    async def delete(self, conversation: str, user: str = ADA) -> None:
        """Take a conversation away."""
        state, version = await self.reads.conversation_at(conversation)
        await self.store.append(decisions.delete(state, user, now()), expected=version, actor=user)

    async def edit(self, conversation: str, message: str, text: str, user: str = ADA) -> list[Event]:
        """Say a message differently, and want no reply; its events."""
        state, version = await self.reads.conversation_at(conversation)
        tree, new = await self.reads.tree(conversation), Edit(text=text, reply=False)
        events = branches.edit(state, tree, user, message, new, ReplySettings(), now())
        await self.store.append(events, expected=version, actor=user)
        return events

    async def choose(self, conversation: str, message: str, user: str = ADA) -> None:
        """Go on with the branch of a message."""
        state, version = await self.reads.conversation_at(conversation)
        events = branches.choose(state, await self.reads.tree(conversation), user, message, now())
        await self.store.append(events, expected=version, actor=user)

    async def retract(self, conversation: str, message: str, user: str = ADA) -> None:
        """Take a message back."""
        state, version = await self.reads.conversation_at(conversation)
        events = branches.retract(state, await self.reads.tree(conversation), user, message, now())
        await self.store.append(events, expected=version, actor=user)

    async def archive(self, conversation: str, message: str, user: str = ADA) -> None:
        """Put a message away."""
        state, version = await self.reads.conversation_at(conversation)
        tree = await self.reads.tree(conversation)
        events = branches.archive(state, tree, user, message, archived=True, now=now())
        await self.store.append(events, expected=version, actor=user)

    def elsewhere(self, lease_seconds: float = 10.0) -> "Library":
        """The same, as another process has it."""
        return _library(self.client, self.name, lease_seconds)

    def search_with(self, engine: SearchEngine) -> None:
        """Index and search with another engine from now on."""
        self.engine = engine
        self.projections["search"] = SearchIndex(engine, Enricher())

    def follower(self, name: str, holder: str = "one", tail: EventTail | None = None) -> Follower:
        """Somebody who follows for one projection; alone, unless there is a tail."""
        tail = tail or EventTail(EventFeed())
        return Follower(self.projections[name], tail, self.checkpoints, holder)

    def rebuild(self, name: str) -> Rebuild:
        """A rebuild of one projection."""
        return Rebuild(self.projections[name], EventFeed(), self.checkpoints, "rebuilder")

    @asynccontextmanager
    async def following(self, *names: str, holder: str = "one") -> AsyncGenerator[None]:
        """Follow for some projections while the body runs; all that was there before is applied when it begins."""
        tail = EventTail(EventFeed())
        following = [self.follower(name, holder, tail) for name in names or self.projections]
        tasks = [asyncio.create_task(one.run()) for one in (tail, *following)]
        try:
            await self.until_followed(*names)
            yield
        finally:
            await stopped(tasks)
            for task in tasks:
                assert task.cancelled(), task.exception()

    async def until_followed(self, *names: str) -> None:
        """Wait until every event is applied."""
        wanted = list(names or self.projections)
        rebuilds = {"_id": {"$in": [f"{name}.rebuild" for name in wanted]}}

        async def done() -> bool:
            found = await self.checkpoints.progress(wanted)
            followed = all(one.lag == 0 and one.rebuilt_at and one.holder for one in found)
            # Whoever has built one has it to himself for a moment longer.
            return followed and await self.client[self.name]["projections"].find_one(rebuilds) is None

        await wait_until(done)

    async def rows(self, collection: str) -> list[dict[str, Any]]:
        """All of a collection, in the order of ids."""
        return await self.client[self.name][collection].find().sort("_id", 1).to_list()


@asynccontextmanager
async def library(mongodb_url: str, lease_seconds: float = 10.0) -> AsyncGenerator[Library]:
    """On a database of its own."""
    name = f"test_{uuid7().hex}"
    async with database(mongodb_url, name) as client:
        try:
            yield _library(client, name, lease_seconds)
        finally:
            await client.drop_database(name)


@asynccontextmanager
async def opened(house: House) -> AsyncGenerator[Library]:
    """On the database of a house."""
    name = house.environment["CHAT_MONGODB_DATABASE"]
    async with database(house.mongodb_url, name) as client:
        yield _library(client, name, 10.0)


def _library(client: Client, name: str, lease_seconds: float) -> Library:
    engine, enricher = MongoSearch(client[name]), Enricher()
    projections: list[Projection] = [
        Transcript(client[name], enricher),
        ConversationList(client[name]),
        SearchIndex(engine, enricher),
    ]
    places = Checkpoints(client[name], lease_seconds)
    by_name = {one.name: one for one in projections}
    return Library(client, name, EventStore(client), Reads(), engine, places, by_name)


def message_of(events: list[Event]) -> str:
    """The id of the message that was sent."""
    return next(event.message for event in events if isinstance(event, MessageCreated))


def reply_of(events: list[Event]) -> str:
    """The id of the reply that is owed."""
    return next(event.reply for event in events if isinstance(event, ReplyRequested))
