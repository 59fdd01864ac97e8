"""The port of the cache, and what is kept in it.

There are two ways to be right. `get` believes what it has until somebody says `forget`: for what changes seldom.
`find` and `keep` are for values that can be held against the store, because they say which version they are of: whoever
finds one asks the store what came after that, so that it is of no weight how old it is.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Kind(Generic[Value]):
    """One sort of things: how it is written, and for how many seconds it is kept at most.

    `absent_seconds`: for how long it is remembered that there is no such thing.
    """

    name: str
    encode: Callable[[Value], bytes]
    decode: Callable[[bytes], Value]
    seconds: float = 60.0
    absent_seconds: float = 5.0


class Cache(Protocol):
    """None of its methods raises because a level is away: that level is left out."""

    async def get(
        self, kind: Kind[Value], name: str, load: Callable[[], Awaitable[Value | None]]
    ) -> Value | None:
        """The value, or None where there is none. Whoever asks meanwhile waits for the same load.

        Errors: those of `load`, which are not kept.
        """
        ...

    async def forget(self, kind: Kind[Value], name: str) -> None:
        """It was changed: call this after the commit. Loads that began before are not kept anywhere."""
        ...

    async def find(self, kind: Kind[Value], name: str) -> Value | None:
        """What was last kept here or elsewhere, or something older, or None."""
        ...

    async def keep(self, kind: Kind[Value], name: str, value: Value) -> None:
        """Keep it here at once, and for the others a moment later."""
        ...
