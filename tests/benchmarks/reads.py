"""Reading from a full house, beside the driver's bare query; and how soon what was said is found.

Beside each figure stands the plan: the index that is walked, and what was looked at on the way.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2
from pymongo import AsyncMongoClient

from server.search.contract import SearchQuery
from server.search.mongodb import MongoSearch
from server.storage.database import Client, database
from server.storage.lists import Lists
from server.storage.pages import Cut
from server.storage.reads import Reads
from tests.benchmarks.library import READER, Library
from tests.benchmarks.tertulia import Engines, Tertulia, tertulia
from tests.support.plans import Plan, overhear, plan_of

_PAGE = 50
_LIST = 40
_WRITERS = 20


@dataclass(frozen=True)
class Read:
    """What was measured: milliseconds."""

    what: str
    how: str
    reads: int
    median: float
    worst: float
    """The 99th percentile."""
    plan: Plan
    """Of one such read, asked for when all were timed."""


@dataclass(frozen=True)
class Searchable:
    """From `accepted` to being in the index: milliseconds."""

    messages: int
    per_second: float
    median: float
    worst: float


async def reading(engines: Engines, messages: int, times: int) -> AsyncGenerator[Read]:
    """So many reads of each kind, one after the other, from a house with so many messages."""
    assert engines.urls.mongodb
    name = f"bench_{secrets.token_hex(4)}"
    library = Library(messages)
    async with database(engines.urls.mongodb, name) as client:
        await library.load(client, name)
        timed = [await _timed(times, read) for _, _, read in _kinds(client, name, library)]
    # Whoever is overheard is slower: that is another client.
    overhear()
    async with database(engines.urls.mongodb, name) as client:
        for (what, how, read), (median, worst) in zip(_kinds(client, name, library), timed, strict=True):
            yield Read(what, how, times, median, worst, await plan_of(client, read))
        await client.drop_database(name)


Kind = tuple[str, str, Callable[[], Awaitable[Any]]]


def _kinds(client: Client, name: str, library: Library) -> list[Kind]:
    reads, lists, engine = Reads(), Lists(), MongoSearch(client[name])
    mine = library.conversations[READER]
    count = library.messages // 10 // len(mine)
    turn = iter(range(10**9))

    def somewhere() -> tuple[str, int]:
        """A conversation, and a message in it that a whole page lies before."""
        number = next(turn)
        return mine[number % len(mine)], _PAGE + 1 + number * 37 % (count - _PAGE)

    async def page() -> None:
        conversation, seq = somewhere()
        await reads.messages(conversation, Cut(before=f"{seq}.", limit=_PAGE))

    async def bare_page() -> None:
        conversation, seq = somewhere()
        wanted = {"conversation": conversation, "chosen": True, "seq": {"$lt": seq}}
        await client[name]["messages"].find(wanted).sort("seq", -1).limit(_PAGE).to_list()

    async def listed() -> None:
        await lists.page(READER, Cut(limit=_LIST))

    async def bare_list() -> None:
        wanted = {"owner": READER}
        await client[name]["conversations"].find(wanted).sort("updated_at", -1).limit(_LIST).to_list()

    async def search(text: str, **more: Any) -> None:
        await engine.search(SearchQuery(READER, text, **more))

    def frequent() -> str:
        return library.words(1)[0]

    async def bare_search() -> None:
        wanted = {"reader": READER, "stems": "en", "$text": {"$search": library.rare(), "$language": "en"}}
        await client[name]["search"].find(wanted, {"score": {"$meta": "textScore"}}).limit(20).to_list()

    return [
        ("a page of history", "Tertulia", page),
        ("a page of history", "MongoDB driver, the query alone", bare_page),
        ("the list of conversations", "Tertulia", listed),
        ("the list of conversations", "MongoDB driver, the query alone", bare_list),
        ("search, one rare word", "Tertulia", lambda: search(f"{library.rare()} ")),
        ("search, one rare word", "MongoDB driver, the query alone", bare_search),
        (
            "search, three words, most of them frequent",
            "Tertulia",
            lambda: search(f"{library.rare()} {frequent()} {frequent()} "),
        ),
        ("search, a word as often as it is said", "Tertulia", lambda: search(f"{frequent()} ")),
        ("search, three letters of such a word", "Tertulia", lambda: search(frequent()[:3])),
        ("search, a phrase of two such words", "Tertulia", lambda: search(f'"{frequent()} {frequent()}" ')),
        (
            "search, three words, in one conversation",
            "Tertulia",
            lambda: search(f"{library.rare()} {frequent()} {frequent()} ", conversation=somewhere()[0]),
        ),
    ]


async def _timed(times: int, read: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    for _ in range(20):
        await read()
    took: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        await read()
        took.append((time.perf_counter() - began) * 1e3)
    took.sort()
    return took[len(took) // 2], took[len(took) * 99 // 100]


async def searchable(engines: Engines, seconds: float, per_second: int = 50) -> Searchable:
    """Send at a steady pace through a whole house, and see when each message is in the index."""
    async with tertulia(engines, worker=True) as ours:
        conversations = await ours.conversations(_WRITERS)
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(engines.urls.mongodb)
        async with client:
            places = client[ours.database]
            built = {"_id": "search", "rebuilt_at": {"$exists": True}}
            while not await places["projections"].find_one(built):  # noqa: ASYNC110 - another process's work
                await asyncio.sleep(0.05)
            appeared: dict[str, float] = {}
            watching = asyncio.create_task(_watch(places["search"], appeared))
            await asyncio.sleep(1.0)
            accepted = await _send(ours, conversations, int(seconds * per_second), per_second)
            async with asyncio.timeout(30):
                while len(appeared) < len(accepted):  # noqa: ASYNC110 - likewise
                    await asyncio.sleep(0.05)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    waits = sorted(max(0.0, appeared[message] - moment) * 1e3 for message, moment in accepted.items())
    return Searchable(len(waits), per_second, waits[len(waits) // 2], waits[len(waits) * 99 // 100])


async def _watch(collection: Any, appeared: dict[str, float]) -> None:
    async with await collection.watch(max_await_time_ms=100) as stream:
        async for change in stream:
            if (row := change.get("fullDocument")) is not None:
                appeared.setdefault(row["message"], time.perf_counter())


async def _send(ours: Tertulia, conversations: list[str], count: int, per_second: int) -> dict[str, float]:
    accepted: dict[str, float] = {}
    headers = {"Authorization": f"Bearer {ours.token}"}
    async with httpx2.AsyncClient(base_url=ours.url, headers=headers, trust_env=False, timeout=30) as client:

        async def one(number: int) -> None:
            said = {"text": f"The observatory, seen for the time number {number}", "reply": False}
            path = f"/v1/conversations/{conversations[number % len(conversations)]}/messages"
            answer = await client.post(path, json=said)
            assert answer.status_code == 202, answer.text
            accepted[answer.json()["message"]] = time.perf_counter()

        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(one(number))
                await asyncio.sleep(1 / per_second)
    return accepted
