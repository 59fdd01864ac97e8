"""The whole house as its operator runs it: real `python -m server …` processes on real engines.

Most tests share one house of two web instances and a worker, and begin conversations of their own in it. A test that
stops or starves a process builds its own, on a database and a queue of its own.
"""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest
from llmock.testing import LLMockServer

from server.embedded.engines import EngineURLs
from server.embedded.guarded import GuardedProcess
from tests.support.client import Http, http
from tests.support.talking_model import TalkingModel, talking_model
from tests.support.waiting import wait_until

API_KEY = "sk-that-nobody-may-ever-see"
SECRET = "the-secret-of-this-house-that-nobody-may-see"

_OURS = ("CHAT_", "OPENAI_", "ANTHROPIC_", "LMSTUDIO_")
_redis_databases = count(1)


class Ended(AssertionError):
    """A process ended that was to run on; what it said is the message."""


class Process:
    """One process, and what it says: with `CHAT_LOG=json`, a line of JSON per event."""

    def __init__(
        self, command: str, environment: Mapping[str, str], log: Path, module: str = "server"
    ) -> None:
        self._log = log
        with log.open("ab") as output:
            argv = [sys.executable, "-m", module, *command.split()]
            self._process = GuardedProcess(argv, environment, output)
        self.url = ""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def said(self) -> str:
        """All of it."""
        return self._log.read_text()

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events of one name that it has logged."""
        lines = [json.loads(line) for line in self.said.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    async def until_says(self, words: str, *, times: int = 1) -> None:
        """Wait until it has said something so often. Errors: `Ended`."""

        async def said() -> bool:
            if self.said.count(words) >= times:
                return True
            if self._process._program.poll() is not None:
                raise Ended(self.said)
            return False

        await wait_until(said, within=60)

    def terminate(self) -> None:
        """Ask it to stop."""
        self._process.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._process.signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it where it stands, as a machine does that swaps, or is moved."""
        self._process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, as if nothing had been."""
        self._process.signal(signal.SIGCONT)

    async def ended(self, within: float = 40.0) -> int:
        """Wait for its end; its exit code."""
        async with asyncio.timeout(within):
            return await self._process.wait()

    async def close(self) -> None:
        """Leave nothing behind."""
        await self._process.close()


@dataclass
class House:
    """Engines, a model and the processes on them."""

    folder: Path
    environment: dict[str, str]
    model: TalkingModel
    processes: list[Process] = field(default_factory=list)
    here: str = ""
    """The base URL of a web instance."""
    there: str = ""
    """The base URL of another one."""
    young: float = 0
    """At its end, replies that were accepted so many seconds ago, or later, may still be on their way."""
    at_its_end: ClassVar[Callable[["House"], Awaitable[None]] | None] = None
    """What is done whenever the last process of a house has ended: in the fault tests, its audit."""
    _running: int = 0

    @asynccontextmanager
    async def web(self, module: str = "server", **more: str) -> AsyncGenerator[Process]:
        """Run a web process; it is reached at its `url`. `module` may be another that has the same commands."""
        async with self._process("web", more, module) as process:
            await process.until_says('"event": "listening"')
            process.url = process.events("listening")[0]["url"]
            yield process

    @asynccontextmanager
    async def worker(self, **more: str) -> AsyncGenerator[Process]:
        """Run a worker; it takes jobs."""
        async with self._process("worker", more) as process:
            await process.until_says('"event": "working"')
            yield process

    @asynccontextmanager
    async def pair(self) -> AsyncGenerator[tuple[Process, Process]]:
        """Run a web process and a worker, started side by side."""
        async with AsyncExitStack() as stack:
            opened = (self.web(), self.worker())
            web, worker = await asyncio.gather(*map(stack.enter_async_context, opened))
            yield web, worker

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, and give what it wrote."""
        return run(*command, environment=self.environment | more)

    @property
    def said(self) -> str:
        """All that its processes have said."""
        return "".join(process.said for process in self.processes)

    @property
    def bugs(self) -> list[str]:
        """What was logged as an error: whatever comes from outside, or breaks there, is none of ours."""
        return [line for line in self.said.splitlines() if '"level": "error"' in line or "Traceback" in line]

    @property
    def mongodb_url(self) -> str:
        """Where its database is."""
        return self.environment["CHAT_MONGODB_URL"]

    @property
    def redis_url(self) -> str:
        """Where its queue is."""
        return self.environment["CHAT_REDIS_URL"]

    @asynccontextmanager
    async def _process(
        self, command: str, more: Mapping[str, str], module: str = "server"
    ) -> AsyncIterator[Process]:
        log = self.folder / f"{command}-{len(self.processes)}.log"
        process = Process(command, self.environment | more, log, module)
        self.processes.append(process)
        self._running += 1
        try:
            yield process
        finally:
            self._running -= 1
            await process.close()
        # Nothing has gone wrong, and the engines are still there: whatever the test was about, nothing was lost by it.
        if not self._running and House.at_its_end is not None:
            await House.at_its_end(self)


READY = "Tertulia is ready at "
ups: list[Path] = []
"""The folders on which `up` has run."""


@asynccontextmanager
async def up(folder: Path, **more: str) -> AsyncIterator[Process]:
    """Run `up` on a folder of data, without any setting but those given; it is reached at its `url`."""
    log = folder.with_name(f"{folder.name}.said")
    begun = log.read_text().count(READY) if log.exists() else 0
    ups.append(folder)
    process = Process("up", clean_environment(CHAT_PORT="0", CHAT_DATA_DIR=str(folder), **more), log)
    try:
        await process.until_says(READY, times=begun + 1)
        process.url = process.said.rpartition(READY)[2].split()[0]
        yield process
    finally:
        await process.close()


def run(*command: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command of the server to its end."""
    argv = [sys.executable, "-m", "server", *command]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)


def clean_environment(**said: str) -> dict[str, str]:
    """This environment without any setting of ours, and with those that are said."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return rest | {"PYTHONUNBUFFERED": "1", "CHAT_LOG": "json"} | said


def new_house(folder: Path, engines: EngineURLs, model: TalkingModel, **more: str) -> House:
    """A house in which nothing runs yet, with a database and a queue of its own on the given engines."""
    assert engines.mongodb
    assert engines.redis
    environment = clean_environment(
        CHAT_PORT="0",
        CHAT_DATA_DIR=str(folder),
        CHAT_MONGODB_URL=engines.mongodb,
        CHAT_MONGODB_DATABASE=f"house_{secrets.token_hex(4)}",
        CHAT_REDIS_URL=f"{engines.redis.rpartition('/')[0]}/{next(_redis_databases)}",
        CHAT_AUTH_SECRET=SECRET,
        CHAT_AUTH="guest",
        OPENAI_BASE_URL=model.base_url,
        OPENAI_API_KEY=API_KEY,
    )
    return House(folder, environment | more, model)


@pytest.fixture(scope="session")
def model() -> Generator[TalkingModel]:
    """Give the model that says what it is told to."""
    with talking_model() as model:
        yield model


@pytest.fixture(scope="session")
def house(
    engines: EngineURLs, model: TalkingModel, tmp_path_factory: pytest.TempPathFactory
) -> Generator[House]:
    """Give a running house of two web instances and one worker: `openai` by default, and two more providers."""
    with LLMockServer() as anthropic:
        house = new_house(
            tmp_path_factory.mktemp("house"),
            engines,
            model,
            ANTHROPIC_BASE_URL=anthropic.base_url("anthropic"),
            ANTHROPIC_API_KEY=API_KEY,
            LMSTUDIO_BASE_URL=model.base_url,
            # Tests that make providers fail are no reason to leave them alone.
            CHAT_BREAKER_FAILURES="1000000",
        )
        with _running(house):
            yield house
        assert house.bugs == []


@contextmanager
def _running(house: House) -> Generator[None]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def start() -> None:
            opened = (house.web(), house.web(), house.worker())
            here, there, _ = await asyncio.gather(*map(stack.enter_async_context, opened))
            house.here, house.there = here.url, there.url

        try:
            runner.run(start())
            yield
        finally:
            runner.run(stack.aclose())


@pytest.fixture
async def ada(house: House) -> AsyncIterator[Http]:
    """Give a guest of the shared house."""
    async with http(house.here) as guest:
        yield guest


@pytest.fixture
async def grace(house: House) -> AsyncIterator[Http]:
    """Give another one, who came in through the other instance."""
    async with http(house.there) as guest:
        yield guest
