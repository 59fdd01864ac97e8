"""Enriches texts. What does the work is imported with the first text, or by `warm`: whoever only reads pays nothing."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

_REMEMBERED = 2048


@dataclass(frozen=True, slots=True)
class Enrichment:
    """What a text says about itself."""

    language: str | None = None
    topics: tuple[str, ...] = ()
    sentiment: float | None = None


class Enricher:
    """Remembers its last answers: two projections ask about the same message, each in a thread and at the same time.

    One waits for the other, and finds the answer there.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, Enrichment] = OrderedDict()
        self._asking = threading.Lock()

    def __call__(self, text: str) -> Enrichment:
        """About a millisecond of work for a paragraph. The same text always gets the same answer."""
        with self._asking:
            known = self._known.get(text)
            if known is None:
                known = self._known[text] = _enriched(text)
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
            return known


def warm() -> None:
    """Load what enriches an English text.

    It takes up to a second: not to be waited for by the first message that wants to be found.
    """
    _enriched("The observatory is open tonight.")


def _enriched(text: str) -> Enrichment:
    if not text.strip():
        return Enrichment()
    from server.enrichment.language import language_of
    from server.enrichment.sentiment import sentiment_of
    from server.enrichment.topics import topics_of

    language = language_of(text)
    return Enrichment(language, topics_of(text, language), sentiment_of(text, language))
