"""A listener to server-sent events, as `curl -N` is one."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from tests.support.client import Http, Reader


class Listener:
    """What comes, event by event; its reader asserts the rules of the protocol."""

    def __init__(self, lines: AsyncIterator[str], reader: Reader) -> None:
        self._lines = lines
        self.reader = reader
        self.heard: list[dict[str, Any]] = []
        self.last_id = ""

    async def read(self, timeout: float = 30.0) -> dict[str, Any]:
        """The next event. Errors: `StopAsyncIteration` at the end of the stream."""
        frame: dict[str, Any] | None = None
        async with asyncio.timeout(timeout):
            while line := await anext(self._lines):
                name, _, value = line.partition(": ")
                if name == "id":
                    self.last_id = value
                elif name == "data":
                    frame = json.loads(value)
        if frame is None:  # a comment
            return await self.read(timeout)
        self.heard.append(frame)
        self.reader.take(frame)
        return frame

    async def until_end(self, reply: str) -> dict[str, Any]:
        """Read until a reply has ended; its last event."""
        while reply not in self.reader.ends:
            await self.read()
        return self.reader.ends[reply]


@asynccontextmanager
async def listening(
    http: Http, conversation: str, last_event_id: str = "", reader: Reader | None = None
) -> AsyncIterator[Listener]:
    """Listen to a conversation, from the event on that was the last, if any was."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    async with http.client.stream(
        "GET", f"/v1/conversations/{conversation}/events", headers=headers
    ) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        async with aclosing(_lines(response.aiter_bytes())) as lines:
            yield Listener(lines, reader or Reader())


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Lines as the standard of server-sent events cuts them: at a newline, never at U+2028."""
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode()
