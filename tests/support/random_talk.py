"""People and workers who do whatever comes into their heads in one conversation, on real engines.

What is decided is committed at once; what is told to the clients may be held back and told in another order, as it
happens where several processes tell of one conversation.
"""

import hashlib
import random
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from typing_extensions import override
from uuid_utils import uuid7

from realtime.log.contract import Grow, Open, Position, Reading, Record
from realtime.log.redis import RedisLog
from realtime.queue.redis import RedisQueue
from realtime.redis import command_client, subscription_client
from realtime.signals.redis import RedisSignals
from server.commands.accepting import Accepting
from server.commands.announce import Announcer, draft_header, ending
from server.commands.branching import Branching
from server.commands.cancel_reply import CancelReply
from server.commands.conversations import Conversations
from server.commands.line import Line
from server.commands.reply_settings import SettingsInForce
from server.commands.send_message import SendMessage
from server.commands.telling import Telling
from server.domain import wire
from server.domain.conversation import ConversationChange, NewConversation
from server.domain.errors import ChatError, StaleAttempt
from server.domain.events import ReplyCompleted, ReplyStarted
from server.domain.message import Edit, NewMessage, Regeneration
from server.domain.reply import Reply, Timing, Usage
from server.domain.settings import ReplySettings
from server.queries.snapshot import Snapshots
from server.sagas.reply.ends import closing
from server.storage.database import Client, database
from server.storage.event_store import EventStore
from server.storage.lists import Lists
from server.storage.reads import Reads
from server.storage.writes import Writes

ADA, GRACE = "usr_ada", "usr_grace"
WORDS = ("owls", " mañana", " 👩🏽‍🚀", "…", " n̂")


def now() -> datetime:
    """To the millisecond, as MongoDB keeps it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class HeldLog(RedisLog):
    """Keeps what is appended back while `holding`, and lets it go one by one in whatever order is asked for."""

    holding = False

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.held: list[tuple[str, Sequence[Record]]] = []

    @override
    async def append(self, topic: str, records: Sequence[Record]) -> list[Position | Exception]:
        if not self.holding:
            return await super().append(topic, records)
        self.held.append((topic, records))
        return [Position("", 0)] * len(records)

    async def release(self, place: int) -> None:
        """Let one go."""
        await super().append(*self.held.pop(place))

    async def now(self, topic: str, records: Sequence[Record]) -> list[Position | Exception]:
        """Append at once, whatever is held."""
        return await super().append(topic, records)


@dataclass
class Talk:
    """One conversation, and all that may be done to it."""

    client: Client
    name: str
    reads: Reads
    store: EventStore
    log: HeldLog
    queue: RedisQueue
    announcer: Announcer
    send: SendMessage
    cancel: CancelReply
    branching: Branching
    conversations: Conversations
    line: Line
    conversation: str = ""
    running: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    """Replies in the hands of our worker: attempt and text so far."""

    async def begin(self, busy: str = "queue") -> None:
        """Begin another conversation."""
        new = NewConversation.model_validate({"members": [GRACE], "busy": busy})
        self.conversation = (await self.conversations.create(ADA, new)).id
        self.running.clear()

    async def snapshot(self) -> dict[str, Any]:
        """What a client is told that comes now, as the `subscribed` frame."""
        reading = await self.log.read(self.conversation, None)
        snapshot = await Snapshots(self.reads, Lists())(self.conversation, reading)
        position = reading.position
        return {"epoch": position.epoch, "offset": position.offset, "recovered": False, "snapshot": snapshot}

    async def events(self, subscribed: dict[str, Any]) -> list[dict[str, Any]]:
        """What it is told after that."""
        after = Position(subscribed["epoch"], subscribed["offset"])
        reading: Reading = await self.log.read(self.conversation, after)
        assert reading.recovered
        return [msgspec.json.decode(entry.body) | {"offset": entry.offset} for entry in reading.entries]

    async def do(self, verb: str, chance: random.Random) -> None:
        """One of `VERBS`: a command, or a step of a worker; what cannot be done now is refused, and that is all."""
        with suppress(ChatError, StaleAttempt):
            await getattr(self, f"_{verb}")(chance)

    async def copied(self, sign: str) -> None:
        """Store all of the conversation once more, under names that end with another sign."""
        rows = self.client[self.name]
        for kind, place in _PLACES.items():
            found = await rows[kind].find({place: self.conversation}).to_list()
            if found:
                await rows[kind].insert_many([_renamed(row, sign) for row in found])

    async def finish(self, chance: random.Random) -> None:
        """Tell what was held back, and bring every reply to its end."""
        await self.release_all(chance)
        while self.running or await self.reads.line(self.conversation):
            await self._work(chance)
            await self.release_all(chance)

    async def release_all(self, chance: random.Random) -> None:
        """Tell what was held back, in some order."""
        while self.log.held:
            await self._release(chance)

    async def _say(self, chance: random.Random) -> None:
        reply = ReplySettings() if chance.random() < 0.8 else False
        text = chance.choice(WORDS) + "?"
        await self.send(chance.choice([ADA, GRACE]), self.conversation, NewMessage(text=text, reply=reply))

    async def _edit(self, chance: random.Random) -> None:
        place = await self._some(chance, "user")
        text = chance.choice(WORDS) + "!"
        await self.branching.edit(place.user or "", place.id, Edit(text=text))

    async def _regenerate(self, chance: random.Random) -> None:
        place = await self._some(chance, "assistant")
        await self.branching.regenerate(ADA, place.id, Regeneration())

    async def _choose(self, chance: random.Random) -> None:
        await self.branching.choose(GRACE, (await self._some(chance)).id)

    async def _retract(self, chance: random.Random) -> None:
        await self.branching.retract(ADA, (await self._some(chance)).id)

    async def _archive(self, chance: random.Random) -> None:
        place = await self._some(chance)
        await self.branching.archive(GRACE, place.id, archived=chance.random() < 0.6)

    async def _stop(self, chance: random.Random) -> None:
        line = await self.reads.line(self.conversation)
        if line:
            await self.cancel(ADA, chance.choice(sorted(line)))

    async def _change(self, chance: random.Random) -> None:
        wanted = {"title": chance.choice(WORDS), "archived": chance.random() < 0.5}
        await self.conversations.change(ADA, self.conversation, ConversationChange.model_validate(wanted))

    async def _hold(self, chance: random.Random) -> None:
        self.log.holding = not self.log.holding

    async def _release(self, chance: random.Random) -> None:
        if self.log.held:
            await self.log.release(chance.randrange(len(self.log.held)))

    async def _some(self, chance: random.Random, role: str | None = None) -> Any:
        tree = await self.reads.tree(self.conversation)
        places = sorted((p for p in tree.places.values() if role in (None, p.role)), key=lambda p: p.seq)
        if not places:
            raise ChatError("nothing", "Nothing has been said yet.")
        return chance.choice(places)

    async def _work(self, chance: random.Random) -> None:
        """The worker takes up the reply whose turn it is, or says some more, or comes to its end."""
        if self.running:
            reply = next(iter(self.running))
            if chance.random() < 0.6:
                await self._grow(reply, chance.choice(WORDS))
            else:
                await self._end(reply)
            return
        line = await self.reads.line(self.conversation)
        told = {name for topic, records in self.log.held for name in _opened(records)}
        first = min(line, key=lambda name: line[name].seq, default=None)
        if first is not None and first not in told:  # a job is given to the queue after it was told
            await self._start(await self.reads.reply(first))

    async def _start(self, reply: Reply) -> None:
        started = ReplyStarted(
            conversation=self.conversation,
            at=now(),
            reply=reply.id,
            attempt=reply.attempt + 1,
            worker="w",
            provider="p",
            model="m",
        )
        await self.store.append([started], actor="w")
        self.running[reply.id] = (started.attempt, "")
        head = {"conversation": self.conversation, "reply": reply.id}
        body = wire.ReplyStarted(**head, provider="p", model="m", attempt=started.attempt).body()
        header = draft_header(status="running", provider="p", model="m")
        await self.log.now(self.conversation, [Record(body, Open(reply.id, started.attempt, header))])

    async def _grow(self, reply: str, text: str) -> None:
        attempt, before = self.running[reply]
        delta = wire.ReplyDelta(conversation=self.conversation, reply=reply, at=len(before), text=text)
        change = Grow(reply, attempt, len(before.encode()), text)
        await self.log.now(self.conversation, [Record(delta.body(), change)])
        self.running[reply] = (attempt, before + text)

    async def _end(self, reply: str) -> None:
        ended = await self.store_end(reply)
        await self.log.now(self.conversation, [ending(ended)])
        await self.line.advance(self.conversation)

    async def store_end(self, reply: str) -> ReplyCompleted:
        """The first half of an end: it is stored, and was told to nobody."""
        attempt, text = self.running.pop(reply)
        ended = ReplyCompleted(
            conversation=self.conversation,
            at=now(),
            reply=reply,
            attempt=attempt,
            text=text,
            length=len(text),
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            usage=Usage(input=3, output=len(text), exact=True),
            timing=Timing(queued_ms=1, first_token_ms=1, total_ms=1 + len(text)),
            cost=len(text) / 1000,
            finish="stop",
        )
        await self.store.append(closing(await self.reads.reply(reply), ended), actor="w")
        return ended


_PLACES = {
    "conversations": "_id",
    "messages": "conversation",
    "replies": "conversation",
    "usage": "conversation",
    "events": "stream",
}
_NAME = re.compile(r"^(cnv|msg|evt)_[0-9a-f]{32}$")


def _renamed(said: Any, sign: str) -> Any:
    if isinstance(said, dict):
        return {_renamed(name, sign): _renamed(value, sign) for name, value in said.items()}
    if isinstance(said, list):
        return [_renamed(one, sign) for one in said]
    return said + sign if isinstance(said, str) and _NAME.match(said) else said


def _opened(records: Sequence[Record]) -> list[str]:
    return [record.change.draft for record in records if isinstance(record.change, Open)]


VERBS = (
    *("say",) * 4,
    *("work",) * 8,
    *("release",) * 3,
    *("edit", "regenerate", "choose", "choose", "retract", "archive", "stop", "change", "hold"),
)


@asynccontextmanager
async def talking(mongodb_url: str, redis_url: str) -> AsyncGenerator[Talk]:
    """Give a database of its own, and everything that stands on it."""
    name = f"talk_{uuid7().hex}"
    async with (
        database(mongodb_url, name) as client,
        command_client(redis_url) as engine,
        subscription_client(redis_url) as feed,
    ):
        reads, store, log = Reads(), EventStore(client), HeldLog(engine)
        queue, signals = RedisQueue(engine), RedisSignals(engine, feed)
        announcer = Announcer(log, queue, f"lane-{name}")
        settings = SettingsInForce(reads, ReplySettings(), ())
        telling, line = Telling(reads, announcer, signals), Line(reads, store, announcer)
        accepting = Accepting(store, reads, settings, announcer, telling, now)
        yield Talk(
            client,
            name,
            reads,
            store,
            log,
            queue,
            announcer,
            SendMessage(accepting),
            CancelReply(store, reads, Writes(), announcer, line, signals, now),
            Branching(accepting),
            Conversations(store, reads, telling, (), now),
            line,
        )
        await client.drop_database(name)
