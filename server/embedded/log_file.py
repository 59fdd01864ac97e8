"""The file that a child process writes to: bounded by setting it aside at a start, readable from its end."""

from pathlib import Path
from typing import IO

LIMIT = 4 * 1024 * 1024
"""A log larger than this many bytes is set aside (as `NAME.log.1`, one generation) at the next start."""

_TAIL_BYTES = 8 * 1024


def open_log(path: Path, limit: int = LIMIT) -> IO[bytes]:
    """Open `path` for appending, its folder made, an overlong predecessor set aside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > limit:
        path.replace(path.with_name(path.name + ".1"))
    return path.open("ab")


def tail(path: Path, since: int = 0, lines: int = 12) -> str:
    """The last `lines` lines that were written to `path` after its first `since` bytes."""
    with path.open("rb") as log:
        size = log.seek(0, 2)
        log.seek(max(since, size - _TAIL_BYTES))
        text = log.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])
