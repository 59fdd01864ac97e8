"""The port of search: what is found, by whom, in which order. One suite for every engine."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.search.contract import Found, SearchDocument, SearchEngine, SearchQuery
from tests.support.search_engines import FORGIVING, SEARCH_ENGINES

ADA, GRACE = "usr_ada", "usr_grace"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(params=sorted(SEARCH_ENGINES))
async def engine(request: pytest.FixtureRequest, mongodb_url: str) -> AsyncGenerator[SearchEngine]:
    """Give each engine in turn, with an empty live index."""
    async with SEARCH_ENGINES[request.param](mongodb_url) as engine:
        await engine.prepare("live")
        yield engine


def document(number: int, text: str, **more: Any) -> SearchDocument:
    """A message of Ada's, so many minutes after noon."""
    said: dict[str, Any] = {
        "id": f"msg_{number:032x}",
        "conversation": f"cnv_{1:032x}",
        "seq": number,
        "readers": (ADA,),
        "user": ADA,
        "role": "user",
        "text": text,
        "at": NOON + timedelta(minutes=number),
        "language": "en",
    }
    return SearchDocument(**(said | more))


async def find(engine: SearchEngine, text: str, reader: str = ADA, **more: Any) -> Found:
    """Search, as somebody."""
    return await engine.search(SearchQuery(reader=reader, text=text, **more))


def numbers(found: Found) -> list[int]:
    """Which of our documents they are."""
    return [int(hit.id.removeprefix("msg_"), 16) for hit in found.hits]


async def test_words_are_found_whatever_their_case_and_accents(engine: SearchEngine) -> None:
    """`CAFE` finds a café; other messages are left alone."""
    await engine.put([document(1, "A café in Madrid"), document(2, "A house in London")])
    found = await find(engine, "CAFE")
    assert (numbers(found), found.total) == ([1], 1)


async def test_a_hit_tells_where_it_is(engine: SearchEngine) -> None:
    """Everything of the message that a client needs to show it and to go there."""
    said = document(7, "The moon is full", topics=("moon",), sentiment=0.5)
    await engine.put([said])
    [hit] = (await find(engine, "moon")).hits
    assert (hit.id, hit.conversation, hit.seq) == (said.id, said.conversation, 7)
    assert (hit.role, hit.user, hit.created_at) == ("user", ADA, said.at)
    assert (hit.language, hit.topics, hit.sentiment) == ("en", ["moon"], 0.5)


async def test_a_phrase_is_found_as_it_stands(engine: SearchEngine) -> None:
    """Its words in another order are not it."""
    await engine.put([document(1, "the black cat sleeps"), document(2, "a cat, black as night")])
    assert numbers(await find(engine, '"black cat"')) == [1]


async def test_a_word_can_be_excluded(engine: SearchEngine) -> None:
    """What has it is not found, however well the rest fits."""
    await engine.put([document(1, "tea with milk"), document(2, "tea with lemon")])
    assert numbers(await find(engine, "tea -milk")) == [2]


async def test_the_last_word_may_be_unfinished(engine: SearchEngine) -> None:
    """Results come while one types."""
    await engine.put([document(1, "The observatory is closed"), document(2, "The library is open")])
    assert numbers(await find(engine, "observ")) == [1]


_TYPING_ERRORS = [
    pytest.param(name, id=f"{name}-{'forgives-as-its-own' if name in FORGIVING else 'takes-it-as-typed'}")
    for name in sorted(SEARCH_ENGINES)
]


@pytest.mark.parametrize("engine", _TYPING_ERRORS, indirect=True)
async def test_typing_errors_are_forgiven_by_who_says_so(
    engine: SearchEngine, request: pytest.FixtureRequest
) -> None:
    """No part of what every engine does: `forgives` says which are which, and each keeps to what it says."""
    assert engine.forgives == ("forgives-as-its-own" in request.node.callspec.id)
    await engine.put([document(1, "The observatory is closed"), document(2, "The library is open")])
    assert numbers(await find(engine, "observatroy ")) == ([1] if engine.forgives else [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        '"',
        "-",
        '-"',
        "$where",
        "{}",
        "(*",
        "\\",
        "a" * 400,
        "ñ́",
        '"?!"',
        '-"?!"',
        '"moon ?!"',
        '"?!" -moon',
    ],
)
async def test_anything_is_a_query(engine: SearchEngine, text: str) -> None:
    """Whatever people type, there is an answer."""
    await engine.put([document(1, "The moon is full")])
    assert (await find(engine, text)).total <= 1


async def test_only_the_readers_find_a_message(engine: SearchEngine) -> None:
    """Neither hits nor totals tell anything of others' messages."""
    shared = document(3, "our moon", readers=(ADA, GRACE))
    await engine.put([document(1, "my moon"), document(2, "her moon", readers=(GRACE,)), shared])
    assert sorted(numbers(await find(engine, "moon"))) == [1, 3]
    assert sorted(numbers(await find(engine, "moon", GRACE))) == [2, 3]
    assert await find(engine, "moon", "usr_nobody") == Found(hits=[], total=0)


async def test_a_reader_is_a_name_and_no_pattern(engine: SearchEngine) -> None:
    """Foreign token services name people as they like."""
    await engine.put([document(1, "my moon")])
    for reader in ('usr_ada" OR readers EXISTS OR "', "usr_ad", "*", "usr_ada ", "'"):
        assert (await find(engine, "moon", reader)).total == 0


async def test_who_reads_may_change(engine: SearchEngine) -> None:
    """A document that is put again replaces what was there, for everybody."""
    await engine.put([document(1, "the moon", readers=(ADA, GRACE))])
    assert await engine.readers(f"cnv_{1:032x}") == {ADA: 1, GRACE: 1}
    await engine.put([document(1, "the sun", readers=(ADA,))])
    assert await engine.readers(f"cnv_{1:032x}") == {ADA: 1}
    assert (await find(engine, "moon", GRACE)).total == 0
    assert (await find(engine, "sun", GRACE)).total == 0
    assert (await find(engine, "moon")).total == 0
    assert numbers(await find(engine, "sun")) == [1]


async def test_where_nobody_can_have_left_nobody_is_looked_for(engine: SearchEngine) -> None:
    """What is put so is found as ever, new or in another wording, by all of its readers."""
    both = (ADA, GRACE)
    await engine.put([document(1, "the moon", readers=both)], same_readers=True)
    await engine.put(
        [document(1, "the sun", readers=both), document(2, "a sun", readers=both)], same_readers=True
    )
    for reader in both:
        assert sorted(numbers(await find(engine, "sun", reader))) == [1, 2]
        assert numbers(await find(engine, "moon", reader)) == []


FILTERS: list[tuple[dict[str, Any], list[int]]] = [
    ({"conversation": f"cnv_{2:032x}"}, [2]),
    ({"user": GRACE}, [3]),
    ({"role": "assistant"}, [4]),
    ({"since": NOON + timedelta(minutes=4)}, [4, 5]),
    ({"until": NOON + timedelta(minutes=2)}, [1]),
    ({"since": NOON + timedelta(minutes=2), "until": NOON + timedelta(minutes=4)}, [2, 3]),
    ({"topic": "full moon"}, [5]),
    ({"language": "es"}, [5]),
    ({"role": "user", "conversation": f"cnv_{1:032x}", "user": ADA}, [1, 5]),
    ({"role": "assistant", "user": ADA}, []),
]


@pytest.mark.parametrize(("wanted", "expected"), FILTERS)
async def test_filters(engine: SearchEngine, wanted: dict[str, Any], expected: list[int]) -> None:
    """Each by itself, and together; the total is that of what passes."""
    documents = [
        document(1, "moon one"),
        document(2, "moon two", conversation=f"cnv_{2:032x}"),
        document(3, "moon three", user=GRACE),
        document(4, "moon four", user=None, role="assistant"),
        document(5, "moon five", topics=("full moon", "night"), language="es"),
    ]
    await engine.put(documents)
    found = await find(engine, "moon", **wanted)
    assert (sorted(numbers(found)), found.total) == (expected, len(expected))


async def test_order_by_time_is_the_newest_first(engine: SearchEngine) -> None:
    """However often a word stands in a message."""
    await engine.put(
        [document(1, "moon moon moon"), document(3, "a moon and other things"), document(2, "moon")]
    )
    assert numbers(await find(engine, "moon", order="time")) == [3, 2, 1]


async def test_order_by_score_is_the_best_first(engine: SearchEngine) -> None:
    """A message with both words stands before those with one."""
    await engine.put([document(1, "red"), document(2, "a red balloon"), document(3, "balloon")])
    found = await find(engine, "red balloon")
    assert numbers(found)[0] == 2


@pytest.mark.parametrize("order", ["score", "time"])
async def test_pages_hold_every_hit_once(engine: SearchEngine, order: str) -> None:
    """Offset and limit cut the same list; the total stays the same."""
    await engine.put([document(number, f"moon number {number}") for number in range(1, 26)])
    seen: list[int] = []
    for offset in range(0, 30, 10):
        found = await find(engine, "moon", order=order, limit=10, offset=offset)
        assert found.total == 25
        seen += numbers(found)
    assert sorted(seen) == list(range(1, 26))


async def test_highlights_show_what_was_looked_for(engine: SearchEngine) -> None:
    """An excerpt in pieces, with its hits marked, without markup."""
    long = "It was a night of which nobody spoke. " * 20
    await engine.put([document(1, f"{long}<b>The Moon</b> rose over it. {long}")])
    [hit] = (await find(engine, "moon")).hits
    assert [piece.text for piece in hit.highlights if piece.hit] == ["Moon"]
    excerpt = "".join(piece.text for piece in hit.highlights)
    assert "<b>The Moon</b> rose over it." in excerpt
    assert len(excerpt) < 400


async def test_spanish_and_english_beside_one_another(engine: SearchEngine) -> None:
    """One reader writes both; each message is found in its own language."""
    spanish = document(1, "Los perros corrían por la playa de Málaga", language="es")
    await engine.put([spanish, document(2, "The dogs were running on the beach")])
    assert numbers(await find(engine, "malaga")) == [1]
    assert numbers(await find(engine, "beach")) == [2]
    assert numbers(await find(engine, "perros")) == [1]
    assert numbers(await find(engine, "dogs")) == [2]


async def test_a_language_that_nobody_knows(engine: SearchEngine) -> None:
    """It is indexed as it stands."""
    await engine.put([document(1, "kio estas tio", language="eo"), document(2, "quid est", language=None)])
    assert numbers(await find(engine, "estas")) == [1]
    assert numbers(await find(engine, "quid")) == [2]


async def test_what_is_removed_is_not_found(engine: SearchEngine) -> None:
    """One message, or a whole conversation; again is no error."""
    other = f"cnv_{2:032x}"
    await engine.put([document(1, "moon"), document(2, "moon"), document(3, "moon", conversation=other)])
    for _ in range(2):
        await engine.remove([f"msg_{1:032x}"])
    assert sorted(numbers(await find(engine, "moon"))) == [2, 3]
    for _ in range(2):
        await engine.remove_conversation(other)
    assert numbers(await find(engine, "moon")) == [2]
    assert await engine.readers(other) == {}


async def test_the_next_index_is_built_unseen(engine: SearchEngine) -> None:
    """What is put into `next` is found after the swap, and what only `live` had is gone then."""
    await engine.put([document(1, "old moon")])
    await engine.prepare("next")
    await engine.put([document(2, "new moon")], "next")
    assert numbers(await find(engine, "moon")) == [1]
    await engine.swap()
    assert numbers(await find(engine, "moon")) == [2]
    await engine.prepare("next")
    await engine.put([document(3, "newer moon")], "next")
    await engine.swap()
    assert numbers(await find(engine, "moon")) == [3]


async def test_an_index_that_was_never_made_is_empty(engine: SearchEngine) -> None:
    """Somebody searches before the first message."""
    await engine.prepare("next")
    await engine.swap()
    assert await find(engine, "moon") == Found(hits=[], total=0)
