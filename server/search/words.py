"""What people type into a search box, and where it stands in a text. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import snowballstemmer

from server.search.contract import Piece

_PART = re.compile(r'-?"([^"]*)"?|(\S+)')
_WORD = re.compile(r"\w+")
_EXCERPT = 180
_BEFORE = 50
_HEAD = 2
_PATTERN_LETTERS = 100
_STEMMERS = {
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nb": "norwegian",
    "nl": "dutch_porter",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}
STEMMED = frozenset(_STEMMERS)
"""The languages that MongoDB knows the stems of; words of others are compared as they are."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What was typed between two spaces, and the words in it, folded: mostly one."""

    typed: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The parts of a query; words are folded, phrases are as they were typed."""

    words: tuple[str, ...]
    phrases: tuple[str, ...]
    without: tuple[str, ...]
    unfinished: str | None
    """The last word, where it may go on: nothing was typed after it."""
    chunks: tuple[Chunk, ...] = ()
    """The words as they were typed, for engines that have rules of their own for what a word is."""


@lru_cache(maxsize=4096)
def fold(word: str) -> str:
    """Without case and accents, as both engines compare words."""
    return "".join(c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))


@lru_cache(maxsize=16384)
def stem(word: str, language: str) -> str:
    """What is left of a word without its ending, as `$text` compares them (Snowball); all of it where none is known."""
    if language not in STEMMED:
        return fold(word)
    return fold(_stemmer(language).stemWord(word.lower()))


@lru_cache
def _stemmer(language: str) -> Any:
    return snowballstemmer.stemmer(_STEMMERS[language])  # pyright: ignore[reportUnknownMemberType]: untyped


def words_of(text: str, limit: int = 400) -> list[str]:
    """The different words of a text, folded; those of a very long text are its first."""
    return list(dict.fromkeys(fold(found) for found in _WORD.findall(text)))[:limit]


def parse(text: str) -> Wanted:
    """Take a query apart. Anything is a query: an unclosed quote ends with the text."""
    words: list[str] = []
    phrases: list[str] = []
    without: list[str] = []
    chunks: list[Chunk] = []
    last: str | None = None
    for found in _PART.finditer(text):
        phrase, bare = found.groups()
        last = None
        if phrase is not None:
            if phrase.strip():
                (without if found[0].startswith("-") else phrases).append(phrase.strip())
            continue
        negated = len(bare) > 1 and bare.startswith("-")
        parts = [fold(part) for part in _WORD.findall(bare)]
        (without if negated else words).extend(parts)
        if parts and not negated:
            chunks.append(Chunk(bare.replace('"', " "), tuple(parts)))
        if parts and not negated and found.end() == len(text):
            last = parts[-1]
    return Wanted(tuple(words), tuple(phrases), tuple(without), last, tuple(chunks))


def words_in(phrase: str) -> list[str]:
    """The words of a phrase in their order, folded."""
    return [fold(found) for found in _WORD.findall(phrase)]


def phrase_pattern(phrase: str) -> str:
    """A regular expression (PCRE, without case) for its words one after the other, whatever their accents.

    Of a very long phrase it has the beginning: expressions have a bound.
    """
    letters = 0
    words: list[str] = []
    for word in words_in(phrase):
        letters += len(word)
        if letters > _PATTERN_LETTERS and words:
            break
        words.append("".join(map(_any_accent, word[:_PATTERN_LETTERS])))
    return r"(*UCP)(?<!\w)" + r"\W+".join(words) + r"(?!\w)"


def _any_accent(letter: str) -> str:
    return f"[{re.escape(letter)}{_accented().get(letter, '')}]\\p{{M}}*"


@lru_cache(maxsize=1)
def _accented() -> dict[str, str]:
    found: dict[str, str] = {}
    for code in (*range(0xDF, 0x250), *range(0x3AC, 0x3CF), *range(0x1E00, 0x2000)):
        letter = chr(code)
        if letter == letter.lower() and len(plain := fold(letter)) == 1 and plain != letter:
            found[plain] = found.get(plain, "") + letter
    return found


def highlight(text: str, wanted: Wanted, language: str) -> list[Piece]:
    """An excerpt around the first place that was looked for, in pieces; words are compared as that language's are."""
    return excerpt(text, _spans(text, wanted, language))


def excerpt(text: str, found: Sequence[tuple[int, int]]) -> list[Piece]:
    """The same around places that an engine has found."""
    spans = _without_overlaps(found)
    start = max(0, spans[0][0] - _BEFORE) if spans else 0
    if start:
        space = text.find(" ", start, spans[0][0])
        start = space + 1 if space >= 0 else start
    end = min(len(text), start + _EXCERPT)
    pieces: list[Piece] = [Piece(text="…", hit=False)] if start else []
    at = start
    for first, last in spans:
        if last > end:
            break
        if first > at:
            pieces.append(Piece(text=text[at:first], hit=False))
        pieces.append(Piece(text=text[first:last], hit=True))
        at = last
    rest = text[at:end] + ("…" if end < len(text) else "")
    if rest:
        pieces.append(Piece(text=rest, hit=False))
    return pieces


def _spans(text: str, wanted: Wanted, language: str) -> list[tuple[int, int]]:
    """Where it stands, in order and without overlaps, as far as an excerpt may go."""
    sought = [word for chunk in wanted.chunks for word in _WORD.findall(chunk.typed)]
    stems = {stem(word, language) for word in sought}
    heads = {word[:_HEAD] for word in wanted.words}
    phrases = [words_in(phrase) for phrase in wanted.phrases]
    found = [(m.start(), m.end(), fold(m[0])) for m in _WORD.finditer(text)]
    spans: list[tuple[int, int]] = []
    for place, (start, end, word) in enumerate(found):
        if spans and start > spans[0][0] + _EXCERPT:
            break
        # Hardly any ending reaches the head, and few words share one: few need a stem.
        related = word[:_HEAD] in heads and stem(text[start:end], language) in stems
        if related or (wanted.unfinished is not None and word.startswith(wanted.unfinished)):
            spans.append((start, end))
            continue
        for phrase in phrases:
            run = found[place : place + len(phrase)]
            if phrase and [w for _, _, w in run] == phrase:
                spans.append((start, run[-1][1]))
                break
    return _without_overlaps(spans)


def _without_overlaps(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept
