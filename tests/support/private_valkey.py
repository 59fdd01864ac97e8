"""A Valkey of one test's own, which it may kill, empty and start again under the same address."""

import asyncio
import shutil
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from server.embedded.valkey import valkey
from tests.support.waiting import wait_until


class PrivateValkey:
    """Use as `async with private_valkey(folder) as engine`."""

    def __init__(self, folder: Path) -> None:
        self._engine = valkey(folder)
        self._data = folder / "valkey"
        self._process: Process | None = None
        self.url = self._engine.url

    async def start(self) -> None:
        """Start it with what it has on disk; it answers when this returns."""
        program = self._engine.program
        self._process = await asyncio.create_subprocess_exec(*program.argv, stdout=DEVNULL)
        await wait_until(program.ready)

    async def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process
        self._process.kill()
        await self._process.wait()

    def empty(self) -> None:
        """Lose its disk."""
        shutil.rmtree(self._data)
        self._data.mkdir()


@asynccontextmanager
async def private_valkey(folder: Path) -> AsyncGenerator[PrivateValkey]:
    """A running one; it does not outlive the body."""
    engine = PrivateValkey(folder)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.kill()
