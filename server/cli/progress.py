"""How far a long command has come: a line on stderr that is written over, where a person looks at it."""

import sys
import time
from types import TracebackType
from typing import Self

_EVERY_SECONDS = 0.5
_FROM_THE_LEFT = "\r\x1b[K"
"""Back to the beginning of the line, which is empty then."""


class Progress:
    """Use it as a context: the line is gone at its end. Where stderr is no terminal, it writes nothing."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write("")

    def __call__(self, done: int, total: int, what: str) -> None:
        """So many of about so many are done. It is shown twice a second at the most."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _EVERY_SECONDS
            self._write(f"{done:,} of {max(done, total):,} {what} …")

    def _write(self, line: str) -> None:
        if self._shown:
            sys.stderr.write(_FROM_THE_LEFT + line)
            sys.stderr.flush()
