"""`GET /v1/conversations/{id}/events`: the socket's events as server-sent events, with the same outbox behind them."""

import asyncio
from contextlib import suppress

import msgspec
import structlog
from starlette.types import Message, Receive, Scope, Send

from realtime.connection import Connection
from realtime.contract import SocketClosed
from realtime.hub import Hub
from realtime.log.contract import Position
from realtime.presence import Presence
from realtime.session import CloseCode
from server.domain.errors import Invalid
from server.queries.access import Queries
from server.storage.pages import is_number
from server.web.auth import User
from server.web.chat import Chat, Visit
from server.web.lines import Line, line_of
from server.web.problems import HttpProblem

_log = structlog.get_logger(__name__)

_COMMENT_SECONDS = 15.0


class _Head(msgspec.Struct):
    """What an event's `id` is made of."""

    type: str
    offset: int | None = None
    epoch: str | None = None


_head = msgspec.json.Decoder(_Head)


class EventStreamSocket:
    """`realtime.contract.Socket` over a response that goes on: the client only listens."""

    packed = False

    def __init__(self, receive: Receive, send: Send, line: Line | None = None) -> None:
        self._receive = receive
        self._send = send
        self._line = line
        self._epoch = ""
        self._leaving: asyncio.Task[Message] | None = None

    async def begin(self) -> None:
        """Send the head of the response."""
        if self._line is not None:
            self._line.narrow()
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await self._tell({"type": "http.response.start", "status": 200, "headers": headers})

    def try_write(self, frame: bytes) -> bool:
        """Never: it is no WebSocket."""
        return False

    async def send(self, payload: bytes) -> None:
        """One event."""
        head = _head.decode(payload)
        self._epoch = head.epoch or self._epoch
        place = f"id: {self._epoch}:{head.offset}\n" if head.offset is not None else ""
        await self._write(b"%bdata: %b\n\n" % (place.encode(), payload))

    async def receive(self) -> str | bytes:
        """Wait until the client leaves; a comment now and then keeps proxies awake. Errors: `SocketClosed`."""
        leaving = self._leaving = asyncio.ensure_future(self._disconnected())
        try:
            while not (await asyncio.wait({leaving}, timeout=_COMMENT_SECONDS))[0]:
                await self._write(b": still here\n\n")
        finally:
            leaving.cancel()
        raise SocketClosed

    async def close(self, code: int, reason: str) -> None:
        """End the response; the client comes back by itself with `Last-Event-ID`."""
        await self._tell({"type": "http.response.body", "body": b"", "more_body": False})
        if self._leaving is not None:
            self._leaving.cancel()

    def abort(self) -> None:
        """Drop a listener that does not read; another server than ours may hold what waits for it a while longer."""
        if self._line is not None:
            self._line.abort()
        if self._leaving is not None:
            self._leaving.cancel()

    async def _disconnected(self) -> Message:
        while (message := await self._receive())["type"] != "http.disconnect":
            pass
        return message

    async def _write(self, chunk: bytes) -> None:
        await self._tell({"type": "http.response.body", "body": chunk, "more_body": True})

    async def _tell(self, message: Message) -> None:
        try:
            await self._send(message)
        except (OSError, RuntimeError) as error:
            raise SocketClosed from error


class EventStream:
    """Serves a conversation's events to its listeners, each on a response that goes on."""

    def __init__(self, chat: Chat, queries: Queries, hub: Hub, presence: Presence) -> None:
        self._chat = chat
        self._queries = queries
        self._hub = hub
        self._presence = presence
        self.connections: set[Connection] = set()

    async def serve(self, user: User, conversation: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Until the listener leaves. Errors, before the first byte: those of `Queries`, `Invalid`, `HttpProblem`."""
        after = _last_event(scope)
        await self._queries.conversation(user.id, conversation)
        if not self._chat.enter(user.id):
            most = self._chat.limits.sockets
            detail = f"One user has at most {most} sockets here."
            raise HttpProblem(429, "too_many_sockets", detail, retry_after=30.0)
        socket = EventStreamSocket(receive, send, line_of(scope))
        connection = Connection(socket, self._hub, Visit(self._chat, None), self._chat.limits, self._presence)
        connection.until = user.until
        self.connections.add(connection)
        try:
            await socket.begin()
            await connection.run_following(user.id, conversation, after)
        except SocketClosed:
            pass  # before anything was told
        except Exception:  # noqa: BLE001 - the boundary of a stream, which has begun: no problem can be told any more
            _log.exception("a bug ended an event stream")
            with suppress(SocketClosed):
                await socket.close(CloseCode.INTERNAL, "our mistake; it has been noted")
        finally:
            self.connections.discard(connection)
            self._chat.leave(user.id)


def _last_event(scope: Scope) -> Position | None:
    for name, value in scope["headers"]:
        if name == b"last-event-id" and value:
            epoch, _, offset = value.decode("latin-1").rpartition(":")
            if not epoch or not is_number(offset):
                raise Invalid("invalid", "Last-Event-ID is epoch:offset.", field="Last-Event-ID")
            return Position(epoch, int(offset))
    return None
