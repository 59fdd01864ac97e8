"""A Valkey of a test's own, which may be killed and started again, with its file or without."""

import shutil
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from server.embedded.guarded import GuardedProcess
from server.embedded.valkey import valkey
from tests.support.house import clean_environment
from tests.support.waiting import wait_until


class OwnValkey:
    """It is always at the same `url`."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._engine = valkey(data_dir)
        self._process: GuardedProcess | None = None
        self.url = self._engine.url

    async def start(self, *, empty: bool = False) -> None:
        """Start it, with what it wrote before or with nothing; it answers when this returns."""
        program = self._engine.program
        if empty:
            shutil.rmtree(self._data_dir / "valkey")
            (self._data_dir / "valkey").mkdir()
        with (self._data_dir / "valkey.log").open("ab") as output:
            self._process = GuardedProcess(program.argv, clean_environment(), output)
        await wait_until(program.ready)

    async def kill(self) -> None:
        """Crash it."""
        assert self._process is not None
        self._process.signal(signal.SIGKILL)
        await self.close()

    async def close(self) -> None:
        """Leave nothing behind."""
        if self._process is not None:
            await self._process.close()
            self._process = None


@asynccontextmanager
async def own_valkey(data_dir: Path) -> AsyncGenerator[OwnValkey]:
    """Run one."""
    server = OwnValkey(data_dir)
    try:
        await server.start()
        yield server
    finally:
        await server.close()
