"""What people type into a search box, taken apart."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.search.words import Chunk, fold, highlight, parse, phrase_pattern, words_in

_LONGEST_EXPRESSION = 16_000
"""Bytes; MongoDB takes a little more."""


def test_a_query_in_its_parts() -> None:
    """Words as they were typed and as they are compared, phrases, what is excluded, and what may go on."""
    wanted = parse('Málaga "in the garden" -winter -"deep snow" foo-bar obs')
    assert wanted.words == ("malaga", "foo", "bar", "obs")
    assert wanted.phrases == ("in the garden",)
    assert wanted.without == ("winter", "deep snow")
    assert wanted.unfinished == "obs"
    assert wanted.chunks == (
        Chunk("Málaga", ("malaga",)),
        Chunk("foo-bar", ("foo", "bar")),
        Chunk("obs", ("obs",)),
    )


def test_a_quote_inside_a_word_begins_no_phrase() -> None:
    """An engine that reads quotes by itself would take the rest for one."""
    assert parse('5"disk drive ').chunks[0] == Chunk("5 disk", ("5", "disk"))


@given(st.text(max_size=60))
def test_anything_can_be_taken_apart(text: str) -> None:
    """Every word of a chunk is a word, and no chunk is without."""
    wanted = parse(text)
    assert [word for chunk in wanted.chunks for word in chunk.words] == list(wanted.words)
    assert all(chunk.words and '"' not in chunk.typed for chunk in wanted.chunks)


def matches(phrase: str, text: str) -> bool:
    """As PCRE would; Python knows neither `(*UCP)`, which it always does, nor `\\p`."""
    pattern = phrase_pattern(phrase).replace("(*UCP)", "").replace(r"\p{M}", "[\u0300-\u036f]")
    return re.search(pattern, text, re.IGNORECASE) is not None


@pytest.mark.parametrize(
    ("phrase", "text", "there"),
    [
        ("los perros", "Corrían LOS PERROS por la playa", True),
        ("los perros", "los, perrós", True),
        ("CAFÉ solo", "un cafe solo", True),
        ("cafe\u0301 solo", "un café solo", True),
        ("los perros", "losperros", False),
        ("los perros", "los perrosos", False),
        ("los perros", "los é perros", False),
        ("a.b", "a b", True),
        ("(*", "(*", False),
    ],
)
def test_a_phrase_as_an_expression(phrase: str, text: str, there: bool) -> None:
    """Its words one after the other, whole, whatever their case and accents."""
    assert (matches(phrase, text) if words_in(phrase) else False) is there


@given(st.text(min_size=1, max_size=500))
def test_an_expression_finds_its_own_words_and_is_bounded(phrase: str) -> None:
    """Whatever is looked for, MongoDB takes it."""
    if words_in(phrase):
        assert len(phrase_pattern(phrase).encode()) < _LONGEST_EXPRESSION


@given(st.lists(st.text("abcdeéñüà", min_size=1, max_size=8), min_size=1, max_size=8))
def test_an_expression_finds_what_is_folded(words: list[str]) -> None:
    """With accents or without."""
    phrase = " ".join(words)
    assert matches(phrase, phrase)
    assert matches(phrase, " ".join(map(fold, words)))
    assert matches(" ".join(map(fold, words)), phrase)


@pytest.mark.parametrize(
    ("query", "text", "language", "hits"),
    [
        ("capital ", "Las capítulos de la capital, y las capitales.", "es", ["capital", "capitales"]),
        ("capital ", "Las capítulos de la capital, y las capitales.", "none", ["capital"]),
        ("cap", "Las capítulos de la capital.", "es", ["capítulos", "capital"]),
        ("canciones ", "Una canción, y UNA CANCION.", "es", ["canción", "CANCION"]),
        ("lighthouse ", "Lighthouses light the light house.", "en", ["Lighthouses"]),
        ("cats dogs ", "A cat and two dogs, no caterpillar.", "en", ["cat", "dogs"]),
        ("häuser ", "Ein Haus, Hausmeister, HÄUSER", "de", ["Haus", "HÄUSER"]),
        ('"the light house"', "Lighthouses light the light house.", "en", ["the light house"]),
        ("", "Nothing was looked for.", "en", []),
    ],
)
def test_what_was_looked_for_is_marked(query: str, text: str, language: str, hits: list[str]) -> None:
    """A word with another ending too, as its language has them; one that only begins alike is another."""
    pieces = highlight(text, parse(query), language)
    assert [piece.text for piece in pieces if piece.hit] == hits
    assert "".join(piece.text for piece in pieces) == text


@given(st.text(max_size=400), st.text(max_size=20), st.sampled_from(["en", "es", "ru", "tr", "none"]))
def test_an_excerpt_is_part_of_its_text(text: str, query: str, language: str) -> None:
    """Whatever was looked for."""
    shown = "".join(piece.text for piece in highlight(text, parse(query), language))
    assert shown.removeprefix("…").removesuffix("…") in text
