"""The port of signals: short notices to whoever listens now. They may be lost, so they are never the only way."""

from collections.abc import AsyncIterator
from typing import Protocol


class Signals(Protocol):
    """One to all, now."""

    async def send(self, name: str, value: str) -> None:
        """Tell all listeners of `name`; raises `Unavailable`."""
        ...

    def listen(self, name: str) -> AsyncIterator[str]:
        """Values sent to `name` from now on, for ever: a lost connection is mended."""
        ...
