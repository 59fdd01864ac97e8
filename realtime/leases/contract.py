"""The port of leases: at most one holder at a time, for as long as it says so again and again.

A lease saves work, it fences nothing: a holder that was stopped for longer than its lease may still believe in it. What
is done under one must be harmless when done twice.
"""

from typing import Protocol


class Leases(Protocol):
    """Named leases. Each method raises `Unavailable` when the engine does not answer in time."""

    async def hold(self, name: str, holder: str, seconds: float) -> bool:
        """Take a lease that is free, or keep one's own, for so long from now on; False when somebody else has it."""
        ...

    async def release(self, name: str, holder: str) -> None:
        """Let go of one's own, so that another need not wait for its end."""
        ...
