"""The processes of a benchmark: started on a core of their own, spoken to in lines, stopped by their pid.

A child of ours prints JSON, one object a line, and takes commands, one a line; it ends when its input is closed.
"""

import asyncio
import itertools
import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.benchmarks.load import Plan
from tests.benchmarks.machine import LOAD_CORE, cpu_seconds, on_core, resident_bytes

_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_CONNECT_SECONDS = 90.0
_POLL_SECONDS = 0.05
_LONGEST_LINE = 64 * 1024 * 1024
"""Of what a child says at once: the delays of every event."""
_logs = itertools.count(1)


COUNTING, CHATTING = "tests.benchmarks.load", "tests.benchmarks.chatting"
RETURNING, HOLDING = "tests.benchmarks.returning", "tests.benchmarks.holding"
"""Clients that count frames, that send, that come back, and whose replies are all in the middle."""


class Stuck(RuntimeError):
    """A measurement cannot end; the message says at what, and the last that the child wrote."""


class Process:
    """A running child."""

    def __init__(self, child: asyncio.subprocess.Process, log: Path) -> None:
        self._child = child
        self._log = log
        self._told = "the start"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far."""
        return cpu_seconds(self.pid)

    @property
    def resident(self) -> int:
        """Bytes of memory."""
        return resident_bytes(self.pid)

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._child.returncode is not None

    async def tell(self, command: str) -> None:
        """Send a command."""
        assert self._child.stdin
        self._told = f"`{command[:80]}`"
        self._child.stdin.write(command.encode() + b"\n")
        await self._child.stdin.drain()

    async def hear(self, seconds: float = _START_SECONDS) -> dict[str, Any]:
        """The next object that it prints."""
        assert self._child.stdout
        try:
            async with asyncio.timeout(seconds):
                line = await self._child.stdout.readline()
        except TimeoutError:
            raise Stuck(f"{self._told}: no answer within {seconds:.0f} s\n{self.said()}") from None
        if not line:
            raise Stuck(f"{self._told}: the child ended\n{self.said()}")
        return json.loads(line)

    def said(self) -> str:
        """The last of what it wrote to its log."""
        return self._log.read_text()[-4000:]

    async def logged(self, event: str, seconds: float = _START_SECONDS) -> dict[str, Any]:
        """Wait for a line of its JSON log."""
        until = asyncio.get_running_loop().time() + seconds
        while True:
            for line in self._log.read_text().splitlines():
                if line.startswith("{") and (said := json.loads(line)).get("event") == event:
                    return said
            if self._child.returncode is not None:
                raise Stuck(f"waiting for {event!r}: the child ended\n{self.said()}")
            if asyncio.get_running_loop().time() > until:
                raise Stuck(f"waiting for {event!r}: not within {seconds:.0f} s\n{self.said()}")
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """Ask it to end, and kill it when it does not."""
        if self._child.returncode is not None:
            return
        assert self._child.stdin
        self._child.stdin.close()
        self._child.terminate()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._child.wait()
        except TimeoutError:
            self._child.kill()
            await self._child.wait()


@asynccontextmanager
async def running(
    arguments: Sequence[str], *, core: int, folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[Process]:
    """Run a program for as long as the body; what it says on stderr is kept in `folder`."""
    log = folder / f"{next(_logs)}.log"
    with log.open("w") as errors, on_core(core):
        child = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=_LONGEST_LINE,
            env={**os.environ, **(environment or {})},
        )
    process = Process(child, log)
    try:
        yield process
    finally:
        await process.stop()


def module(name: str, *arguments: str) -> list[str]:
    """The command line of one of this project's modules."""
    return [sys.executable, "-m", name, *arguments]


@asynccontextmanager
async def clients(name: str, plan: Plan, folder: Path) -> AsyncGenerator[Process]:
    """The clients of a plan in a process on the core of the load, all connected and ready."""
    async with running(module(name), core=LOAD_CORE, folder=folder) as process:
        await process.tell(msgspec.json.encode(plan).decode())
        ready = await process.hear(_CONNECT_SECONDS)
        assert ready["ready"] == len(plan.greetings)
        yield process
