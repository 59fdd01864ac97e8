"""The mood of a text, from -1 to 1 (VADER, Hutto and Gilbert 2014): a lexicon and rules, made for short English texts.

There is no such lexicon for Spanish, or another language, that is free, kept up and light: for those nothing is said.
"""

from functools import lru_cache

from vader import SentimentIntensityAnalyzer

_LONG = 8_000


def sentiment_of(text: str, language: str | None) -> float | None:
    """The compound score of an English text; None for others."""
    if language != "en":
        return None
    return float(_analyzer().polarity_scores(text[:_LONG])["compound"])


@lru_cache(maxsize=1)
def _analyzer() -> SentimentIntensityAnalyzer:
    return SentimentIntensityAnalyzer()
