"""No server at all: one XADD, and the XREADGROUP of another connection that waits for it.

Prints `{}`; answers `go COUNT PER_SECOND` (so many entries at that pace) by `{"waited"}`: the seconds from just before
each XADD until the reader has its entry.
"""

import asyncio
import secrets
import sys
import time
from typing import Any

from redis.asyncio import Redis

from tests.benchmarks.children import commands, run, say

_GROUP = "workers"


async def _read(client: Any, stream: str, waited: list[float], count: int) -> None:
    while len(waited) < count:
        answer = await client.xreadgroup(_GROUP, "a", {stream: ">"}, count=16, block=1000)
        now = time.perf_counter()
        rows = answer.items() if isinstance(answer, dict) else answer
        for _, batch in rows or ():
            for receipt, fields in batch:
                waited.append(now - float(fields[b"at"]))
                await client.xack(stream, _GROUP, receipt)
                await client.xdel(stream, receipt)


async def _main() -> None:
    stream = f"bare-{secrets.token_hex(4)}"
    writer: Any = Redis.from_url(sys.argv[1])
    reader: Any = Redis.from_url(sys.argv[1], socket_timeout=None)
    async with writer, reader:
        await writer.xgroup_create(stream, _GROUP, id="0", mkstream=True)
        say()
        async for command in commands():
            waited: list[float] = []
            count, gap = int(command[1]), 1 / float(command[2])
            reading = asyncio.create_task(_read(reader, stream, waited, count))
            began = time.perf_counter()
            for number in range(count):
                await asyncio.sleep(max(began + number * gap - time.perf_counter(), 0))
                await writer.xadd(stream, {"reply": "msg_0", "at": time.perf_counter()})
            await reading
            say(waited=waited)
        await writer.delete(stream)


if __name__ == "__main__":
    run(_main())
