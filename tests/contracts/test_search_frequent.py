"""Words that stand in most of what somebody has: what they find is known, and what that costs is bounded."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from uuid_utils import uuid7

from server.search.contract import SearchDocument, SearchQuery
from server.search.mongodb import MongoSearch
from server.search.mongodb_questions import Bounds
from server.storage.database import Client, database
from tests.contracts.test_search import ADA, GRACE, document, find, numbers
from tests.support.plans import overhear, plan_of

FREQUENT, NEWEST, SCORED, SAMPLE = 10, 20, 25, 15
MANY = 200


@pytest.fixture
async def client(mongodb_url: str) -> AsyncGenerator[Client]:
    """Give a client that can be overheard."""
    overhear()
    async with database(mongodb_url, f"test_{uuid7().hex}") as client:
        yield client


@pytest.fixture
async def engine(client: Client) -> AsyncGenerator[MongoSearch]:
    """Give an engine with narrow bounds, on a database of the test's own."""
    name = f"test_{uuid7().hex}"
    engine = MongoSearch(client[name], Bounds(FREQUENT, NEWEST, SCORED, SAMPLE))
    await engine.prepare("live")
    yield engine
    await client.drop_database(name)


async def fill(engine: MongoSearch, text: str = "moon", **more: Any) -> None:
    """Many messages, one a minute, that all say the same."""
    documents = [document(number, text, **more) for number in range(1, MANY + 1)]
    await engine.put(documents)


def said(number: int, text: str, **more: Any) -> SearchDocument:
    """One more message."""
    return document(MANY + number, text, **more)


async def test_a_frequent_word_alone_finds_the_newest(engine: MongoSearch) -> None:
    """The newest of them, and the total says how many those are."""
    await fill(engine)
    found = await find(engine, "moon ", limit=5)
    assert numbers(found) == list(range(MANY, MANY - 5, -1))
    assert (found.total, found.complete) == (NEWEST, False)


async def test_rarer_words_come_first_however_old(engine: MongoSearch) -> None:
    """The oldest message has it; the frequent word adds the newest, and lifts what has both."""
    await fill(engine)
    await engine.put(
        [document(1, "an observatory"), document(2, "an observatory and the moon"), said(1, "sun")]
    )
    found = await find(engine, "moon observatory ", limit=4)
    assert numbers(found) == [2, 1, MANY, MANY - 1]
    assert found.total == NEWEST + 2


async def test_no_message_is_found_twice(engine: MongoSearch) -> None:
    """One that is among the newest with the frequent word, and has a rare one."""
    await fill(engine)
    await engine.put([said(1, "an observatory under the moon")])
    found = await find(engine, "moon observatory ", limit=50)
    assert len(set(numbers(found))) == len(found.hits) == found.total == NEWEST


async def test_words_that_are_rare_one_by_one_are_scored_up_to_a_bound(engine: MongoSearch) -> None:
    """The rarest of them, as far as it goes; the rest is found by its newest."""
    words = ["lamp", "boat", "tree", "wall"]
    await engine.put([said(n, f"a {words[n % 4]}") for n in range(40)])
    found = await find(engine, "lamp boat tree wall ", limit=100)
    assert found.total == 40


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("moon -full ", [MANY + 2]),
        ('moon -"full moon" ', [MANY + 2]),
        ('"full moon" ', [MANY + 1]),
        ('"moon is full" ', []),
        ('"FÚLL,   moón" ', [MANY + 1]),
        ("moon -moon ", []),
    ],
)
async def test_phrases_and_exclusions_hold(engine: MongoSearch, text: str, expected: list[int]) -> None:
    """Also where a word of theirs is frequent."""
    other = f"cnv_{9:032x}"
    await fill(engine, "moon moons")
    await engine.put(
        [said(1, "a full moon", conversation=other), said(2, "a moon, half full of it", conversation=other)]
    )
    await engine.put([said(2, "a moon, by half", conversation=other)])
    assert numbers(await find(engine, text, conversation=other)) == expected


async def test_a_phrase_of_frequent_words_is_looked_for_by_the_rarest(engine: MongoSearch) -> None:
    """However old it is, where one of its words is rare."""
    await fill(engine)
    await engine.put([document(3, "the lunar moon"), document(4, "the moon, lunar")])
    found = await find(engine, '"lunar moon" ')
    assert (numbers(found), found.complete) == ([3], True)
    assert not (await find(engine, '"moon moon" ')).complete


async def test_what_a_language_takes_for_no_word_is_passed_over(engine: MongoSearch) -> None:
    """`the` stands in every message, and adds none of them."""
    await fill(engine, "the house")
    await engine.put([said(1, "the garden")])
    found = await find(engine, "the garden ")
    assert (numbers(found), found.total, found.complete) == ([MANY + 1], 1, True)
    assert (await find(engine, "the ")).total == 0


async def test_filters_are_applied_before_the_newest_are_counted(engine: MongoSearch) -> None:
    """An old conversation has its messages found, though newer ones elsewhere say the same."""
    old = f"cnv_{7:032x}"
    await engine.put([document(number, "moon", conversation=old) for number in range(1, 4)])
    await engine.put([document(number, "moon") for number in range(4, MANY)])
    assert sorted(numbers(await find(engine, "moon ", conversation=old))) == [1, 2, 3]


@pytest.mark.parametrize("text", ["boat ", '"moon boat" '])
async def test_a_conversation_is_looked_through_itself(
    engine: MongoSearch, client: Client, text: str
) -> None:
    """However few messages have a word: the walk that is best for that would be kept for a word that all have."""
    other = f"cnv_{9:032x}"
    await fill(engine, "moon")
    await engine.put([said(n, "moon boat", conversation=other) for n in range(1, FREQUENT + 2)])
    for whole in (MANY, MANY - 1):
        bounds = Bounds(FREQUENT, NEWEST, SCORED, SAMPLE, whole)
        engine = MongoSearch(client[engine.rows("live").database.name], bounds)
        query = SearchQuery(ADA, text, conversation=f"cnv_{1:032x}")
        plan = await plan_of(client, lambda engine=engine, query=query: engine.search(query))
        assert "conversation" in plan.indexes
        assert (plan.documents >= MANY) == (whole == MANY), plan


@pytest.mark.parametrize("order", ["score", "time"])
@pytest.mark.parametrize(
    "text",
    [
        "moon ",
        "boat moon ",
        "moon sun observatory ",
        "moon -boat ",
        '"moon boat" ',
        '"boat moon" -sun ',
        "boa",
    ],
)
async def test_a_conversation_that_is_looked_through_finds_the_same(
    engine: MongoSearch, client: Client, text: str, order: Any
) -> None:
    """As one that is too large for that."""
    other = f"cnv_{9:032x}"
    await fill(engine, "moon boat", language="es")
    words = ("moon boat", "boat moon", "moon sun", "moon", "an observatory")
    await engine.put([said(n, words[n % 5], conversation=other) for n in range(40)])
    await engine.put([said(40, "moon boat", conversation=other, readers=(GRACE,))])
    large = Bounds(FREQUENT, NEWEST, SCORED, SAMPLE, whole=39)
    asked = SearchQuery(ADA, text, conversation=other, order=order, limit=50)
    found = await MongoSearch(client[engine.rows("live").database.name], large).search(asked)
    assert found.hits
    assert await engine.search(asked) == found


@pytest.mark.parametrize("text", ["moon ", "moon sun observatory ", '"moon sun" ', "moo", "moon -sun "])
async def test_no_search_looks_at_more_than_so_much(engine: MongoSearch, client: Client, text: str) -> None:
    """Whatever the words: far less than all of the messages that have them."""
    await fill(engine, "moon sun")
    await engine.put([said(1, "observatory")])
    plan = await plan_of(client, lambda: engine.search(SearchQuery(ADA, text, limit=5)))
    counted = 6 * (FREQUENT + 1)
    assert plan.documents <= counted + 2 * NEWEST + SCORED + SAMPLE + 5, plan
    assert "COLLSCAN" not in plan.stages


async def test_many_words_in_many_languages(engine: MongoSearch) -> None:
    """A text that somebody has pasted, for a reader of every language: one answer, and what fits best is first."""
    languages = [
        "da",
        "de",
        "en",
        "es",
        "fi",
        "fr",
        "hu",
        "it",
        "nb",
        "nl",
        "pt",
        "ro",
        "ru",
        "sv",
        "tr",
        "eo",
    ]
    await engine.put([document(n, f"observatory {n}", language=one) for n, one in enumerate(languages, 1)])
    pasted = " ".join(f"w{number}" for number in range(100))
    assert (await find(engine, f"observatory {pasted} ", limit=50)).total == len(languages)
    await engine.put([document(50, "observatory w1 w2 w3")])
    assert numbers(await find(engine, f"observatory {pasted} ", limit=1)) == [50]
    assert (await find(engine, f'"{pasted}" observatory ')).total == 0


@pytest.mark.parametrize("text", ["moon ", "moo", "moon observatory ", '"moon sun" '])
async def test_an_index_of_an_earlier_version_answers_until_it_is_rebuilt(
    engine: MongoSearch, client: Client, text: str
) -> None:
    """It has no order by time in it: that is slower for as long as it lasts, and finds the same."""
    await fill(engine, "moon sun")
    await engine.put([said(1, "observatory")])
    wanted = SearchQuery(ADA, text, order="time", limit=50)
    found = await engine.search(wanted)
    await engine.rows("live").drop_index("newest")
    assert await engine.search(wanted) == found
    await engine.rows("live").create_index([("reader", 1), ("words", 1)], name="prefixes")
    await engine.rows("live").create_index([("reader", 1), ("stems", 1)], name="languages")
    assert await engine.search(wanted) == found
