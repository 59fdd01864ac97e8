"""Visitors of a Chainlit app, who speak with it as its page does, by Socket.IO.

`python -m tests.benchmarks.chainlit_visitors URL`, run in Chainlit's own environment. Prints `{}`; answers
`go STREAMS ANSWERS TOKENS GAP`, as `tests.benchmarks.servers.bare_streams` does, by `{"tokens", "first"}`.
"""

import asyncio
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import socketio

from tests.benchmarks.children import commands, run, say
from tests.benchmarks.servers.paced_model import TOKEN, model

_ANSWER_SECONDS = 120.0


class Visitor:
    """One page."""

    def __init__(self) -> None:
        self._socket: Any = socketio.AsyncClient(reconnection=False)
        self._socket.on("stream_start", lambda said: self._take(said["output"]))
        self._socket.on("stream_token", lambda said: self._take(said["token"]))
        self._socket.on("task_end", self._end)
        self._ended = asyncio.Event()
        self._asked = 0.0
        self._waiting = False
        self._letters = 0
        self._first: list[float] = []

    async def connect(self, url: str) -> None:
        """Open the page, as far as a server sees it."""
        session = str(uuid.uuid4())
        auth = {"sessionId": session, "clientType": "webapp", "userEnv": "{}", "threadId": ""}
        await self._socket.connect(url, socketio_path="/ws/socket.io", transports=["websocket"], auth=auth)
        await self._socket.emit("connection_successful")
        await self._until_end()

    async def ask(self, delay: float, answers: int, tokens: int) -> tuple[int, list[float]]:
        """Say so many things, one after the other; tokens that came, and the seconds to the first of each."""
        await asyncio.sleep(delay)
        self._letters, self._first = 0, []
        for _ in range(answers):
            message = {
                "id": str(uuid.uuid4()),
                "name": "user",
                "type": "user_message",
                "output": model(tokens),
                "createdAt": datetime.now(UTC).isoformat(),
            }
            self._asked, self._waiting = time.perf_counter(), True
            await self._socket.emit("client_message", {"message": message, "fileReferences": []})
            await self._until_end()
        return self._letters // len(TOKEN), self._first

    async def _until_end(self) -> None:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await self._ended.wait()
        self._ended.clear()

    def _take(self, text: str) -> None:
        if self._waiting:
            self._first.append(time.perf_counter() - self._asked)
            self._waiting = False
        self._letters += len(text)

    def _end(self, *_: object) -> None:
        self._ended.set()


async def _main() -> None:
    visitors: list[Visitor] = []
    say()
    async for command in commands():
        streams, answers, tokens = (int(word) for word in command[1:4])
        gap = float(command[4])
        while len(visitors) < streams:
            visitors.append(Visitor())
            await visitors[-1].connect(sys.argv[1])
        asking = (one.ask(n * gap, answers, tokens) for n, one in enumerate(visitors[:streams]))
        told = await asyncio.gather(*asking)
        say(tokens=sum(seen for seen, _ in told), first=[seconds for _, first in told for seconds in first])


if __name__ == "__main__":
    run(_main())
