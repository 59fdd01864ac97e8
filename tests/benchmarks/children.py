"""What a child of the benchmark is made of: commands from its input, JSON to its output, the end with its parent."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

import uvloop


def say(**said: object) -> None:
    """Tell the parent."""
    print(json.dumps(said), flush=True)


async def commands() -> AsyncGenerator[list[str]]:
    """What the parent says, split at spaces, until it closes our input."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        yield line.decode().split()


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a child's work on uvloop, as all servers here do."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)
