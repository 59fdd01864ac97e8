"""What is Meilisearch's own: typing errors, tasks that fail, and a server that is away."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest
from meilisearch_python_sdk import AsyncClient

from server.domain.errors import Unavailable
from server.enrichment.enricher import Enricher
from server.projections.search_index import SearchIndex
from server.search.contract import Found, SearchQuery
from server.search.meilisearch import CALL_SECONDS, MeiliSearch
from tests.contracts.test_search import document, find, numbers
from tests.support.meilisearch import KEY, StandIn, serving
from tests.support.reading import ADA, library, message_of


@pytest.fixture
async def stand_in() -> AsyncGenerator[StandIn]:
    """Give a stand-in that is not served yet."""
    stand_in = StandIn()
    yield stand_in
    assert stand_in.faults == [], stand_in.faults


@pytest.fixture
async def engine(stand_in: StandIn) -> AsyncGenerator[MeiliSearch]:
    """Give the engine in front of it, with an empty live index."""
    async with serving(stand_in) as url, AsyncClient(url, KEY, timeout=CALL_SECONDS) as client:
        engine = MeiliSearch(client, "test")
        await engine.prepare("live")
        yield engine


@pytest.mark.parametrize("text", ["observatroy", "obsevratory", "observatorio"])
async def test_typing_errors_are_forgiven(engine: MeiliSearch, text: str) -> None:
    """A long word may have two, and what was found is still marked."""
    await engine.put([document(1, "The observatory is closed"), document(2, "The library is open")])
    found = await find(engine, text)
    assert numbers(found) == [1]
    assert [piece.text for piece in found.hits[0].highlights if piece.hit] == ["observatory"]


async def test_people_who_differ_by_case_or_spaces_are_others(engine: MeiliSearch) -> None:
    """Meilisearch's filters do not tell them apart."""
    await engine.put([document(1, "my moon")])
    for reader in ("USR_ADA", " usr_ada", "Usr_Ada"):
        assert (await find(engine, "moon", reader)).total == 0
        assert (await find(engine, "moon", user=reader)).total == 0


async def test_highlights_count_characters_and_not_bytes(engine: MeiliSearch) -> None:
    """Accents and pictures stand before what was found."""
    await engine.put([document(1, "¿Qué? 🌙 Mañana, luna llena")])
    [hit] = (await find(engine, "luna")).hits
    assert [piece.text for piece in hit.highlights if piece.hit] == ["luna"]


async def test_settings_are_sent_once(engine: MeiliSearch, stand_in: StandIn) -> None:
    """Meilisearch would index everything anew for the same ones again."""
    await engine.prepare("live")
    assert [task["type"] for task in stand_in.tasks].count("settingsUpdate") == 1


async def test_one_document_that_cannot_be_taken_holds_up_no_other(engine: MeiliSearch) -> None:
    """It is told and counted, and the rest of its batch is found."""
    documents = [document(number, "moon") for number in range(1, 8)]
    await engine.put([*documents[:3], document(9, "moon", id="not an id"), *documents[3:]])
    assert sorted(numbers(await find(engine, "moon"))) == [1, 2, 3, 4, 5, 6, 7]
    assert engine.counts["left_out"] == 1


async def test_a_task_that_fails_for_a_while_is_told(engine: MeiliSearch, stand_in: StandIn) -> None:
    """Nothing is left out: whoever follows the events comes again."""
    stand_in.failing.append("no_space_left_on_device")
    with pytest.raises(Unavailable):
        await engine.put([document(1, "moon")])
    assert engine.counts == {"failed": 1}
    await engine.put([document(1, "moon")])
    assert numbers(await find(engine, "moon")) == [1]


@pytest.mark.parametrize("offset", [0, 3, 7, 24, 30])
async def test_an_offset_between_two_pages(engine: MeiliSearch, offset: int) -> None:
    """Meilisearch knows pages; we know offsets."""
    await engine.put([document(number, "moon") for number in range(1, 26)])
    found = await find(engine, "moon", order="time", limit=5, offset=offset)
    assert numbers(found) == list(range(25, 0, -1))[offset : offset + 5]
    assert found.total == 25


async def test_an_index_without_its_settings_is_empty(engine: MeiliSearch, stand_in: StandIn) -> None:
    """Somebody searches between the two moments in which it is made."""
    stand_in.indexes["test_messages"].settings["filterableAttributes"] = []
    assert await find(engine, "moon") == Found(hits=[], total=0)
    assert await find(engine, "moon", order="time") == Found(hits=[], total=0)
    await engine.prepare("live")
    await engine.put([document(1, "moon")])
    assert numbers(await find(engine, "moon")) == [1]


async def test_a_wrong_key_is_unavailable(stand_in: StandIn) -> None:
    """The operator's mistake is no answer."""
    async with serving(stand_in) as url, AsyncClient(url, "another", timeout=CALL_SECONDS) as client:
        with pytest.raises(Unavailable):
            await MeiliSearch(client, "test").search(SearchQuery(reader=ADA, text="moon"))


async def test_what_was_said_while_it_was_away_arrives(stand_in: StandIn, mongodb_url: str) -> None:
    """Sends go on, search says when to come again; what was taken back meanwhile is not found after that."""
    async with AsyncExitStack() as stack:
        reading = await stack.enter_async_context(library(mongodb_url))
        serving_it = serving(stand_in)
        url = await serving_it.__aenter__()
        client = await stack.enter_async_context(AsyncClient(url, KEY, timeout=CALL_SECONDS))
        engine = MeiliSearch(client, "test")
        reading.projections["search"] = SearchIndex(engine, Enricher())
        await stack.enter_async_context(reading.following("search"))
        conversation = await reading.begin()
        await reading.say(conversation, "the first moon")
        await reading.until_followed("search")
        await serving_it.__aexit__(None, None, None)
        with pytest.raises(Unavailable) as caught:
            await find(engine, "moon")
        assert caught.value.retry_after is not None
        await reading.say(conversation, "the second moon")
        gone = await reading.begin()
        message_of(await reading.say(gone, "the third moon"))
        await reading.delete(gone)
        await stack.enter_async_context(serving(stand_in, urlsplit(url).port or 0))
        await reading.until_followed("search")
        found = await find(engine, "moon")
        assert sorted(hit.seq for hit in found.hits) == [1, 2]
        assert {hit.conversation for hit in found.hits} == {conversation}
