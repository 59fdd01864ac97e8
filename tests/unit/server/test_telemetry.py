"""What a process says of itself."""

import io
import logging
import sys
from collections.abc import Iterator
from secrets import token_hex

import pytest
import structlog

from server.telemetry import configure_logging


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
