"""What two projections that ask at the same time get."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from server.enrichment import enricher
from server.enrichment.enricher import Enricher, Enrichment


def test_two_who_ask_at_once_cost_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second finds what the first had made, instead of making it beside it."""
    asked, both = list[str](), threading.Barrier(2, timeout=30)

    def made(text: str) -> Enrichment:
        asked.append(text)
        second.wait(0.1)  # the other one is given its chance to come in between
        return Enrichment(language="en")

    def ask(text: str) -> Enrichment:
        both.wait()
        return ask_for(text)

    second = threading.Event()
    ask_for = Enricher()
    monkeypatch.setattr(enricher, "_enriched", made)
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(ask, ["The observatory is closed"] * 2))
    assert answers[0] is answers[1]
    assert asked == ["The observatory is closed"]
