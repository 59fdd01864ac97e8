"""The topics of a text: its own words that say most about it (YAKE, Campos et al. 2020, which needs no corpus)."""

from functools import lru_cache
from typing import Any

from yake import KeywordExtractor  # pyright: ignore[reportUnknownVariableType]: yake is untyped

_MOST = 5
_WORDS = 2
_LONG = 8_000
"""Code points of a long text that are looked at: the cost grows with the length."""
_LANGUAGES = frozenset({"da", "de", "en", "es", "fi", "fr", "it", "nl", "no", "pt", "ro", "ru", "sv", "tr"})


def topics_of(text: str, language: str | None) -> tuple[str, ...]:
    """At most five, in small letters, the most telling first."""
    found: list[tuple[str, float]] = _extractor(
        language if language in _LANGUAGES else "en"
    ).extract_keywords(text[:_LONG])
    return tuple(dict.fromkeys(words.casefold() for words, _ in found))


@lru_cache(maxsize=len(_LANGUAGES))
def _extractor(language: str) -> Any:
    return KeywordExtractor(lan=language, n=_WORDS, top=_MOST)
