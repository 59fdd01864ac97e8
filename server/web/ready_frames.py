"""An ASGI extension: write a WebSocket frame that is ready, without an event, a task or a second encoding.

uvicorn's sans-I/O protocol offers it when it is this subclass (`ws=ReadyFrames`); the application uses it only when
`scope["extensions"]` has it, so that it runs on any other ASGI server too. Compression must be off: a ready frame is
the same for every client.
"""

import socket
from asyncio.transports import BaseTransport
from typing import Protocol

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION = "tertulia.ready_frames"

_KERNEL_BYTES = 64 * 1024
"""What the kernel holds for one client (Linux takes twice as much, for its own accounts). Left to itself it holds
megabytes: a slow reader would be minutes behind before we noticed that it is slow, and its memory is nobody's."""


class FrameWriter(Protocol):
    """What the extension offers."""

    def write(self, frame: bytes) -> bool:
        """Write a whole frame now; False when the client does not keep up, or is gone, or has not been accepted."""
        ...

    def abort(self) -> None:
        """Drop the connection without a goodbye."""
        ...


class ReadyFrames(WebSocketsSansIOProtocol):
    """The protocol that offers itself as the extension."""

    def connection_made(self, transport: BaseTransport) -> None:
        """As the parent does; bounds what waits for the client where we cannot see it."""
        super().connection_made(transport)
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)

    def handle_connect(self, event: Request) -> None:
        """As the parent does; its task has not begun to run when it returns."""
        super().handle_connect(event)
        if hasattr(self, "scope"):
            extensions = self.scope.get("extensions") or {}
            self.scope["extensions"] = {**extensions, EXTENSION: {"writer": self}}

    def write(self, frame: bytes) -> bool:
        """See `FrameWriter`."""
        if (
            not self.writable.is_set()
            or self.close_sent
            or self.transport.is_closing()
            or not self.handshake_complete
        ):
            return False
        self.transport.write(frame)
        return True

    def abort(self) -> None:
        """See `FrameWriter`."""
        self.transport.abort()
