"""Web instances of one house that are killed, drained and started again, as a fleet's are."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.support.house import House, Process


class Instances:
    """`urls` is where they are; one that is away keeps its address until it is back at another."""

    def __init__(self, house: House, stack: AsyncExitStack) -> None:
        self.urls: list[str] = []
        self.processes: list[Process] = []
        self._house = house
        self._stack = stack

    async def add(self) -> None:
        """Start one more."""
        process = await self._start()
        self.processes.append(process)
        self.urls.append(process.url)

    async def kill(self, index: int) -> None:
        """Crash one, and start it again."""
        self.processes[index].kill()
        assert await self.processes[index].ended() == -9
        await self._replace(index)

    async def drain(self, index: int) -> None:
        """Tell one to stop, wait for its end, and start it again."""
        self.processes[index].terminate()
        assert await self.processes[index].ended() == 0
        await self._replace(index)

    async def freeze(self, index: int, seconds: float) -> None:
        """Stop one where it stands for a while: it knows nothing of it, its clients and engines may."""
        self.processes[index].freeze()
        await asyncio.sleep(seconds)
        self.processes[index].thaw()

    async def _start(self) -> Process:
        return await self._stack.enter_async_context(self._house.web())

    async def _replace(self, index: int) -> None:
        self.processes[index] = await self._start()
        self.urls[index] = self.processes[index].url


@asynccontextmanager
async def instances(house: House, number: int) -> AsyncGenerator[Instances]:
    """So many of them."""
    async with AsyncExitStack() as stack:
        running = Instances(house, stack)
        await asyncio.gather(*(running.add() for _ in range(number)))
        yield running
