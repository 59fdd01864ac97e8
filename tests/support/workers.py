"""Workers of one house that are killed, and replaced."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.support.house import House, Process


class Workers:
    """`processes` are those that take jobs now; `stack` closes with them."""

    def __init__(self, house: House, number: int, stack: AsyncExitStack) -> None:
        self.processes: list[Process] = []
        self.stack = stack
        self._house = house
        self._number = number

    async def kill(self, index: int) -> None:
        """Crash one."""
        process = self.processes.pop(index)
        process.kill()
        assert await process.ended() == -9

    async def full(self) -> None:
        """Start new ones in place of those that were killed."""
        missing = self._number - len(self.processes)
        opened = (self.stack.enter_async_context(self._house.worker()) for _ in range(missing))
        self.processes += await asyncio.gather(*opened)


@asynccontextmanager
async def workers(house: House, number: int) -> AsyncGenerator[Workers]:
    """So many of them."""
    async with AsyncExitStack() as stack:
        running = Workers(house, number, stack)
        await running.full()
        yield running
