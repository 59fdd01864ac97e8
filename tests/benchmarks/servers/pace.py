"""The frame that every server sends, and the pace at which it does."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.benchmarks.children import say

FRAME_BYTES = 120
FRAME = '{"type":"reply.delta","text":"' + "x" * (FRAME_BYTES - 32) + '"}'


async def paced(command: list[str], send: Callable[[], object]) -> None:
    """Do what `go COUNT INTERVAL` says: `send` so many times, a frame every so many seconds; then say so."""
    count, interval = int(command[1]), float(command[2])
    loop = asyncio.get_running_loop()
    began = loop.time()
    for n in range(count):
        await asyncio.sleep(max(0.0, began + n * interval - loop.time()))
        sent = send()
        if isinstance(sent, Awaitable):
            await sent
    say(sent=count)
