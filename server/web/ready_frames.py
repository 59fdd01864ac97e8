"""An ASGI extension: write a WebSocket frame that is ready, without an event, a task or a second encoding.

uvicorn's sans-I/O protocol offers it when it is this subclass (`ws=ReadyFrames`); the application uses it only when
`scope["extensions"]` has it, so that it runs on any other ASGI server too. Compression must be off: a ready frame is
the same for every client.
"""

import asyncio
import os
import socket
from asyncio import BaseTransport, Transport
from typing import Any, cast

from starlette.types import Message
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

EXTENSION = "tertulia.ready_frames"

_KERNEL_BYTES = 64 * 1024
"""What the kernel holds for one client (Linux takes twice as much, for its own accounts). Left to itself it holds
megabytes: a slow reader would be minutes behind before we noticed that it is slow, and its memory is nobody's."""
_PING = b"\x89\x00"


class FrameWriter:
    """What the extension offers. Small, because every frame to every client passes through one of these."""

    __slots__ = ("_descriptor", "_transport", "takes")

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._descriptor = _descriptor(transport)
        self.takes = False
        """The handshake is done, and the client keeps up."""

    def write(self, frame: bytes) -> bool:
        """Write whole frames now; False when the client does not keep up, or is gone, or has not been accepted.

        Where nothing waits in the transport, the frame goes straight to the kernel. What the kernel does not take, the
        transport keeps, in its place.
        Not to be called once the application has sent its `websocket.close`.
        """
        if not self.takes or self._transport.is_closing():
            return False
        if self._descriptor is None or self._transport.get_write_buffer_size():
            self._transport.write(frame)
            return True
        try:
            written = os.write(self._descriptor, frame)
        except OSError:  # the kernel is full, or the client is gone: the transport knows what to do
            written = 0
        if written < len(frame):
            self._transport.write(frame[written:])
        return True

    def abort(self) -> None:
        """Drop the connection without a goodbye."""
        self._transport.abort()


def _descriptor(transport: Transport) -> int | None:
    """The file descriptor to write to until the transport closes; None where bytes are wrapped (TLS)."""
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is None or transport.get_extra_info("sslcontext") is not None:
        return None
    return (
        connection.fileno()
        if connection.family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)
        else None
    )


class Inbox:
    """What the parent uses of `asyncio.Queue`, for one reader, in a tenth of the memory."""

    __slots__ = ("_messages", "_waiter")

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._waiter: asyncio.Future[None] | None = None

    def put_nowait(self, message: Message) -> None:
        """Append a message."""
        self._messages.append(message)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def empty(self) -> bool:
        """Whether `get` would wait."""
        return not self._messages

    async def get(self) -> Message:
        """Take the first message; waits for one."""
        while not self._messages:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._messages.pop(0)


class ReadyFrames(WebSocketsSansIOProtocol):
    """The protocol that offers a writer as the extension, and holds less for an idle client."""

    _writer: FrameWriter
    ping_at: float = float("inf")
    """When it has its turn, by the loop's clock; 0 once it may have one."""
    _silent = False

    def connection_made(self, transport: BaseTransport) -> None:
        """As the parent does; bounds what waits for the client where we cannot see it.

        Reading is paused behind every message, so that the inbox stays short.
        """
        self.queue = cast("Any", Inbox())
        super().connection_made(transport)
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)

    def handle_connect(self, event: Request) -> None:
        """As the parent does; its task has not begun to run when it returns."""
        self._writer = FrameWriter(self.transport)
        super().handle_connect(event)
        if hasattr(self, "scope"):
            extensions = self.scope.get("extensions") or {}
            self.scope["extensions"] = {**extensions, EXTENSION: {"writer": self._writer}}

    def start_keepalive(self) -> None:
        """As the parent does, which begins with it at the end of the handshake."""
        super().start_keepalive()
        # Of no use from here on, and kept by the parent for as long as the connection lasts.
        del self.request, self.response
        self._writer.takes = True
        self.ping_at = 0.0

    def ping(self) -> None:
        """Ask whether the client lives; or let go of it, if it has been silent since it was asked before.

        Who does not keep up is not asked: writing to it has a time limit. While we do not read, nobody is silent.
        """
        if self._silent and not self.read_paused:
            self.keepalive_timeout()
        elif not self.close_sent and self._writer.write(_PING):
            self._silent = True

    def data_received(self, data: bytes) -> None:
        """As the parent does."""
        self._silent = False
        super().data_received(data)

    def pause_writing(self) -> None:
        """As the parent does."""
        super().pause_writing()
        self._writer.takes = False

    def resume_writing(self) -> None:
        """As the parent does."""
        super().resume_writing()
        self._writer.takes = self.handshake_complete
