"""The port of the board: small facts for all processes, each with a time after which it is taken down by itself.

A fact is whatever its writer means by it; the last writer is right. A *turn* is a fact that only one process has.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol


class Board(Protocol):
    """Put up, read, take down. Each method raises `Unavailable` when the engine does not answer in time."""

    async def put_up(self, name: str, fact: str, seconds: float) -> None:
        """Put a fact up in place of an earlier one."""
        ...

    async def raise_up(self, facts: Mapping[str, str], seconds: float) -> None:
        """Put facts up, each unless a greater one is up, which then stays; greater by its characters, all of ASCII."""
        ...

    async def take_down(self, name: str) -> None:
        """It is no longer true."""
        ...

    async def read(self, names: Sequence[str]) -> dict[str, str]:
        """Those of the facts that are up now."""
        ...

    async def take_turn(self, name: str, owner: str, seconds: float) -> bool:
        """Whether it is the owner's turn now: nobody else has it for so long, unless it is given back."""
        ...

    async def give_turn_back(self, name: str, owner: str) -> None:
        """Let others have it; a turn that has passed on to another owner is left alone."""
        ...
