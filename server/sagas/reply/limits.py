"""Time limits of steps."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from server.sagas.reply.steps import LIMITS, Step


class TooLate(Exception):
    """A step took longer than it may."""

    def __init__(self, step: Step) -> None:
        super().__init__(f"The step {step} took too long.")
        self.step = step


@asynccontextmanager
async def within(step: Step, seconds: float | None = None) -> AsyncGenerator[None]:
    """Raise `TooLate` when the body takes longer than its step may. Other time limits pass as they are."""
    limit = asyncio.timeout(LIMITS[step] if seconds is None else max(seconds, 0.0))
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TooLate(step) from error
