"""What a projection is: something that follows from the stored events, and can be made anew from them.

A projection is applied to from the events in their order, at least once each, by one process at a time. It has two
sides: `live`, which is read, and `next`, which is built beside it and then put in its place.
"""

from collections.abc import Sequence
from typing import Protocol

from server.search.contract import Side
from server.storage.event_store import Fact

__all__ = ["Fact", "Projection", "Side"]


class Projection(Protocol):
    """Errors of all methods: `Unavailable`; whoever applies tries again."""

    name: str
    version: int
    """Raised when the code makes something else of the same events: it is then rebuilt."""

    async def prepare(self, side: Side) -> None:
        """Make a side ready; `next` is emptied."""
        ...

    async def apply(self, facts: Sequence[Fact], side: Side) -> None:
        """Let events that have happened have their effect.

        The same ones again, in their order, change nothing; nor do they when they come from a process that slept
        while another one went on.
        """
        ...

    async def swap(self) -> None:
        """Put `next` in the place of `live`, in one step for those who read. Errors: `Overtaken`."""
        ...
