"""An HTTP server that sends exactly the bytes it is told to, and sees when it is left.

For what no double of a model's server does to the byte: a character cut in two, a line of two megabytes, a
connection that ends without a goodbye.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self, TypeAlias

Step: TypeAlias = bytes | float | Literal["stall", "cut"]
"""Bytes to send as one chunk; seconds to pause; wait until the client leaves; or break the connection off."""


@dataclass(frozen=True)
class Answer:
    """What the next request gets: a status (none at all where it is None), then one step after the other.

    Without a cut the body ends as HTTP wants it.
    """

    steps: Sequence[Step] = ()
    status: int | None = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What a client sent, and on which connection (counted from 1)."""

    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


class ScriptedServer:
    """Gives each request the next scripted answer; the last one is given again and again."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.asked = asyncio.Event()
        """A request has come."""
        self.abandoned = asyncio.Event()
        """A client has closed its connection while the answer was still being given."""
        self.left: list[Request] = []
        """The requests whose clients did."""
        self.done: list[tuple[Request, float]] = []
        """When the last of each answer was said (`time.monotonic`), whatever end it had."""
        self._script: deque[Answer] = deque()
        self._connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def script(self, *answers: Answer) -> None:
        """Lay down what comes next."""
        self._script.extend(answers)

    def answer(self, request: Request) -> Answer:
        """Choose what a request gets."""
        return self._script.popleft() if len(self._script) > 1 else self._script[0]

    async def answering(self, request: Request) -> Answer:
        """The same, for whoever has to find out first."""
        return self.answer(request)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._server.sockets[0].getsockname()
        return f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        """Start to listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, and let go of every connection."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._connections += 1
        connection = self._connections
        request: Request | None = None
        try:
            while request := await _read_request(reader, connection):
                self.requests.append(request)
                self.asked.set()
                if not await self._give(request, await self.answering(request), reader, writer):
                    break
        except ConnectionError:
            self._note(request)
        except asyncio.CancelledError:
            # The server is closing; asyncio's streams would report the cancellation as an error of theirs.
            return
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def _note(self, request: Request | None) -> None:
        self.abandoned.set()
        if request is not None:
            self.left.append(request)

    async def _give(
        self, request: Request, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Give one answer; False when the connection is of no more use."""
        headers = {"content-type": "text/event-stream", "transfer-encoding": "chunked"} | answer.headers
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if answer.status is not None:
            writer.write(f"HTTP/1.1 {answer.status} Scripted\r\n{head}\r\n".encode())
        for step in answer.steps:
            if step == "cut":
                self.done.append((request, time.monotonic()))
                return False
            if step == "stall":
                self.done.append((request, time.monotonic()))
                await reader.read(1)
                raise ConnectionResetError
            if isinstance(step, float):
                await asyncio.sleep(step)
                continue
            writer.write(b"%x\r\n%b\r\n" % (len(step), step))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        self.done.append((request, time.monotonic()))
        return True


async def _read_request(reader: asyncio.StreamReader, connection: int) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(first.split(" ")[1], headers, body, connection)
