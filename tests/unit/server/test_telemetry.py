"""What a process says of itself."""

import io
import logging
import sys
from collections.abc import Iterator
from secrets import token_hex

import pytest
import structlog
from prometheus_client import generate_latest

from server.telemetry import configure_logging, metrics_registry


@pytest.fixture(params=["text", "json"])
def said(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Give what is logged in either form."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers, root.level
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure_logging(request.param, "test")
    yield written
    structlog.contextvars.clear_contextvars()
    structlog.configure(**before)
    root.handlers, root.level = handlers, level


def test_a_traceback_says_where_and_not_what(said: io.StringIO) -> None:
    """A bug is logged with its place and its error, and without what was in the variables: texts, tokens, keys."""

    text = token_hex()

    def answer(text: str) -> None:
        raise ZeroDivisionError(len(text))

    log = structlog.get_logger("test")
    try:
        answer(text)
    except ZeroDivisionError:
        log.exception("a bug")
    assert "ZeroDivisionError" in said.getvalue()
    assert "test_telemetry.py" in said.getvalue()
    assert text not in said.getvalue()


def test_a_figure_is_of_its_kind() -> None:
    """What only grows is a counter to whoever reads the metrics, and is read when they do."""
    done = [1]
    registry = metrics_registry({"done_total": ("Done.", lambda: done[0]), "open": ("Open.", lambda: 3)})
    done.append(done.pop() + 1)
    told = generate_latest(registry).decode()
    assert "# TYPE tertulia_done_total counter\ntertulia_done_total 2.0\n" in told
    assert "# TYPE tertulia_open gauge\ntertulia_open 3.0\n" in told
