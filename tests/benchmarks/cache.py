"""What a reply's context costs to read, from each level, beside the bare engines' own answers."""

import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

from realtime.redis import command_client, subscription_client
from server.cache.levels import Levels
from server.domain.events import ConversationCreated, MessageCreated
from server.domain.ids import new_id
from server.domain.settings import ReplySettings
from server.queries.windows import MOST, WINDOWS, Window, Windows
from server.storage.database import database
from server.storage.documents import MessageDocument
from server.storage.event_store import EventStore
from server.storage.reads import Reads
from tests.benchmarks.tertulia import Engines
from tests.support.waiting import wait_until

MESSAGES = (50, MOST)
"""A window as most have it, and the largest that there is."""


@dataclass(frozen=True)
class Cost:
    """What was measured: microseconds."""

    what: str
    how: str
    times: int
    median: float
    worst: float
    """The 99th percentile."""


@dataclass
class Hits:
    """From where the answers came, in all."""

    counts: dict[str, int] = field(default_factory=dict[str, int])


async def measure(engines: Engines, times: int, count: int, hits: Hits) -> AsyncGenerator[Cost]:
    """A conversation of `count` messages, read so many times in each way, one after the other."""
    assert engines.urls.mongodb
    assert engines.urls.redis
    name, conversation = f"bench_{secrets.token_hex(4)}", new_id("cnv")
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(database(engines.urls.mongodb, name))
        commands = await stack.enter_async_context(command_client(engines.urls.redis))
        feed = await stack.enter_async_context(subscription_client(engines.urls.redis))
        warm = await stack.enter_async_context(Levels(commands, feed).running())
        cold = await stack.enter_async_context(Levels(commands, feed, most=0).running())
        head = await _talk(EventStore(client), conversation, count)
        reads = Reads()
        _, version = await reads.conversation_at(conversation)
        windows = Windows(reads, warm)
        passages = await windows(conversation, version, head)

        async def there() -> bool:
            return await cold.find(WINDOWS, conversation) is not None

        await wait_until(there)
        key = f"cache:{{window:{conversation}}}"
        rows = MessageDocument.collection()
        chosen = {"conversation": conversation, "chosen": True}
        ways: list[tuple[str, str, Callable[[], Awaitable[object]]]] = [
            ("window", "memory", lambda: warm.find(WINDOWS, conversation)),
            ("window", "redis, decoded", lambda: cold.find(WINDOWS, conversation)),
            ("window", "a bare GET", lambda: commands.get(key)),
            ("window", "database, no cache", lambda: _branch(reads, head)),
            ("window", "a bare find", lambda: rows.find(chosen).sort("seq", -1).limit(MOST).to_list()),
            ("window, held against the store", "memory", lambda: windows(conversation, version, head)),
            ("who may read it", "asked of the store, as we do", lambda: _admit(reads, conversation)),
            ("who may read it", "a bare GET, as a stamp would be", lambda: commands.get(f"{key}:stamp")),
        ]
        for what, how, read in ways:
            yield await _timed(what, how, times, read)
        assert isinstance(await warm.find(WINDOWS, conversation), Window)
        assert len(passages) == count
        for cache in (warm, cold):
            for (_, level), count in cache.counts.items():
                hits.counts[level] = hits.counts.get(level, 0) + count
        await client.drop_database(name)


async def _admit(reads: Reads, conversation: str) -> None:
    (await reads.conversation(conversation)).admit("usr_bench")


async def _branch(reads: Reads, head: str) -> object:
    return await reads.branch(await reads.message(head), MOST)


async def _timed(what: str, how: str, times: int, read: Callable[[], Awaitable[object]]) -> Cost:
    took: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        await read()
        took.append((time.perf_counter() - began) * 1e6)
    took.sort()
    return Cost(what, how, times, took[times // 2], took[times * 99 // 100])


async def _talk(store: EventStore, conversation: str, count: int) -> str:
    """Say it all in one transaction; gives the last message."""
    now = datetime.now(UTC)
    created = ConversationCreated(
        conversation=conversation,
        at=now,
        owner="usr_bench",
        members=["usr_bench"],
        title="",
        character=None,
        settings=ReplySettings(),
        busy="queue",
    )
    names = [new_id("msg") for _ in range(count)]
    said = [
        MessageCreated(
            conversation=conversation,
            at=now,
            message=message,
            seq=number + 1,
            role="user",
            user="usr_bench",
            text="What do owls eat, and when? " * 10,
            parent=names[number - 1] if number else None,
        )
        for number, message in enumerate(names)
    ]
    await store.append([created, *said], actor="bench")
    return names[-1]
