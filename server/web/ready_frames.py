"""An ASGI extension: write a WebSocket frame that is ready, without an event, a task or a second encoding.

uvicorn's sans-I/O protocol offers it when it is this subclass (`ws=ReadyFrames`); the application uses it only when
`scope["extensions"]` has it, so that it runs on any other ASGI server too. Compression must be off: a ready frame is
the same for every client.
"""

from asyncio import BaseTransport
from typing import Protocol

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION = "tertulia.ready_frames"


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

    def handle_connect(self, event: Request) -> None:
        """As the parent does; its task has not begun to run when it returns."""
        super().handle_connect(event)
        if hasattr(self, "scope"):
            extensions = self.scope.get("extensions") or {}
            self.scope["extensions"] = {**extensions, EXTENSION: {"writer": self}}

    def connection_made(self, transport: BaseTransport) -> None:
        """As the parent does."""
        super().connection_made(transport)
        self._takes = True

    def pause_writing(self) -> None:
        """As the parent does."""
        super().pause_writing()
        self._takes = False

    def resume_writing(self) -> None:
        """As the parent does."""
        super().resume_writing()
        self._takes = True

    def write(self, frame: bytes) -> bool:
        """See `FrameWriter`."""
        transport = self.transport
        if self._takes and self.handshake_complete and not self.close_sent and not transport.is_closing():
            transport.write(frame)
            return True
        return False

    def abort(self) -> None:
        """See `FrameWriter`."""
        self.transport.abort()
