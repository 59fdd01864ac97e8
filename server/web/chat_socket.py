"""`GET /ws`: a WebSocket of any ASGI server as the realtime layer's socket."""

from contextlib import suppress
from typing import Any

import structlog
from starlette.types import Message, Receive, Scope, Send

from realtime.connection import Connection
from realtime.contract import SocketClosed
from realtime.hub import Hub
from realtime.presence import Presence
from realtime.session import CloseCode
from server.web.auth import bearer
from server.web.chat import Chat, Visit
from server.web.ready_frames import EXTENSION, FrameWriter

_log = structlog.get_logger(__name__)

SUBPROTOCOLS = {"chat.v1": False, "chat.v1.msgpack": True}
"""By name, whether it is spoken in MessagePack."""


class AsgiSocket:
    """`realtime.contract.Socket` over ASGI, with ready frames where the server offers them."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, packed: bool = False) -> None:
        self.packed = packed
        self._receive = receive
        self._send = send
        extensions: dict[str, Any] = scope.get("extensions") or {}
        extension = extensions.get(EXTENSION)
        self._writer: FrameWriter | None = extension["writer"] if extension else None
        # See the port. The server's own method, without a step between: this is where every frame passes.
        self.try_write = self._writer.write if self._writer else _cannot_write

    async def send(self, payload: bytes) -> None:
        """See the port."""
        said: Message = {"bytes": payload} if self.packed else {"text": payload.decode()}
        await self._tell({"type": "websocket.send", **said})

    async def receive(self) -> str | bytes:
        """See the port."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise SocketClosed
        text: str | None = message.get("text")
        return text if text is not None else message.get("bytes") or b""

    async def close(self, code: int, reason: str) -> None:
        """See the port."""
        await self._tell({"type": "websocket.close", "code": code, "reason": reason[:120]})

    def abort(self) -> None:
        """See the port; another server than ours finds out by its own ping."""
        if self._writer is not None:
            self._writer.abort()

    async def _tell(self, message: Message) -> None:
        try:
            await self._send(message)
        except (OSError, RuntimeError) as error:  # what ASGI servers raise once the client is gone
            raise SocketClosed from error


def _cannot_write(frame: bytes) -> bool:
    return False


class ChatSocket:
    """The ASGI application of one path. Knows its connections, to say goodbye to them."""

    def __init__(self, chat: Chat, hub: Hub, presence: Presence) -> None:
        self._chat = chat
        self._hub = hub
        self._presence = presence
        self.connections: set[Connection] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one client."""
        await receive()  # websocket.connect
        offered: list[str] = scope.get("subprotocols", [])
        chosen = next((name for name in offered if name in SUBPROTOCOLS), None)
        await send({"type": "websocket.accept", "subprotocol": chosen})
        visit = Visit(self._chat, bearer(scope["headers"]))
        socket = AsgiSocket(scope, receive, send, packed=SUBPROTOCOLS.get(chosen or "", False))
        connection = Connection(socket, self._hub, visit, self._chat.limits, self._presence)
        self.connections.add(connection)
        try:
            await connection.run()
        except Exception:  # noqa: BLE001 - the boundary of a socket: a bug of ours ends this one alone
            _log.exception("a bug ended a socket")
            with suppress(SocketClosed):
                await socket.close(CloseCode.INTERNAL, "our mistake; it has been noted")
        finally:
            self.connections.discard(connection)
            visit.leave()
