"""What an event stream needs of its connection and ASGI does not offer: to hold little for it, and to drop it.

uvicorn puts it into the state of each request when its HTTP protocol is this subclass (`http=Lines`); on any other
server an event stream goes without.
"""

import socket
from asyncio import Transport
from typing import TYPE_CHECKING

from starlette.types import Scope

_KEY = "tertulia.line"
_KERNEL_BYTES = 64 * 1024


class Line:
    """A client's connection."""

    __slots__ = ("_transport",)

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def narrow(self) -> None:
        """Have the kernel hold so little that what waits for a slow reader waits where we see it."""
        connection: socket.socket | None = self._transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)

    def abort(self) -> None:
        """Drop it, and all that waits for its reader."""
        self._transport.abort()


def line_of(scope: Scope) -> Line | None:
    """The line of a request, where there is one."""
    return scope.get("state", {}).get(_KEY)


if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as _Parent
else:
    from uvicorn.protocols.http.auto import AutoHTTPProtocol as _Parent


class Lines(_Parent):
    """uvicorn's HTTP protocol, whichever is installed, with its line in the state."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] - any transport, as the parent
        """As the parent does."""
        self.app_state = {**self.app_state, _KEY: Line(transport)}
        super().connection_made(transport)
