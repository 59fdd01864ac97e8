"""Why something is stored: which request it belongs to, and which earlier event led to it.

Whoever begins some work (a request, a frame, a job) says so once, around it; the event store writes it beside each
event.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """`correlation` is the same for everything that one request led to; `causation` is the event just before."""

    correlation: str | None = None
    causation: str | None = None


_NOTHING = Cause()
_present: ContextVar[Cause] = ContextVar("cause", default=_NOTHING)


@contextmanager
def caused_by(correlation: str | None, causation: str | None = None) -> Generator[None]:
    """Everything that is stored in here belongs to this."""
    token = _present.set(Cause(correlation, causation))
    try:
        yield
    finally:
        _present.reset(token)


def present_cause() -> Cause:
    """What the present work belongs to."""
    return _present.get()
