"""The port of attendance: which users of a topic are at which instance, and notices to all instances that follow it.

Nothing here is owed to anybody. What is said is a state and not a change ("these are my users here"), so that a lost
notice is mended by the next one, and what an instance said counts only for as long as it is alive.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Protocol

Everywhere = Mapping[str, Set[str]]
"""Instance to its users."""


class Attendance(Protocol):
    """Each method raises `Unavailable` when the engine does not answer in time."""

    async def here(self, instance: str, rooms: Sequence[tuple[str, Set[str]]]) -> list[Everywhere]:
        """Say who of each topic is at this instance; nobody, and the instance is forgotten there.

        Those who follow the topic hear of it as `{"instance", "users"}`. Returns, per topic and read in the same step,
        who is where, the dead included.
        """
        ...

    async def alive(self, instance: str) -> Set[str]:
        """Say that the instance lives, for the next 10 s; all that do, itself included if it had not been forgotten."""
        ...

    async def gone(self, instance: str) -> None:
        """The instance stops."""
        ...

    async def tell(self, topic: str, notice: bytes) -> None:
        """Pass a JSON object on to all who follow the topic now."""
        ...
