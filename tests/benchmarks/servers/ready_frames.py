"""Two limits: uvloop's `transport.write` of a ready frame to every connection, and nothing else; or, with the argument
`kernel`, the kernel's own part of that: one `write` after another, with no event loop between them."""

import asyncio
import os
import sys
from typing import cast

from websockets.server import ServerProtocol

from tests.benchmarks.children import commands, run, say
from tests.benchmarks.servers.pace import FRAME, paced

_READY = b"\x81" + bytes((len(FRAME),)) + FRAME.encode()


class _Handshake(asyncio.Protocol):
    def __init__(self, clients: set[asyncio.Transport]) -> None:
        self._clients = clients
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        protocol = ServerProtocol()
        protocol.receive_data(data)
        for request in protocol.events_received():
            protocol.send_response(protocol.accept(request))
            self._transport.write(b"".join(protocol.data_to_send()))
            self._clients.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clients.discard(self._transport)


async def _main() -> None:
    clients: set[asyncio.Transport] = set()

    def send() -> None:
        for transport in clients:
            transport.write(_READY)

    def write() -> None:
        for transport in clients:
            os.write(transport.get_extra_info("socket").fileno(), _READY)

    server = await asyncio.get_running_loop().create_server(lambda: _Handshake(clients), "127.0.0.1", 0)
    say(port=server.sockets[0].getsockname()[1])
    async for command in commands():
        await paced(command, write if "kernel" in sys.argv else send)


if __name__ == "__main__":
    run(_main())
