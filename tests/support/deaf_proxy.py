"""A TCP proxy that can fall silent: its connections stay open and carry nothing, while new ones work, or do neither."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

_CHUNK = 64 * 1024


class DeafProxy:
    """Stands between a client and the server at `port`; it listens at `listening`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._hearing: list[asyncio.Event] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._parted = False
        self.accepted = 0

    @property
    def listening(self) -> int:
        """Its own port."""
        return self._server.sockets[0].getsockname()[1]

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    def deafen(self) -> int:
        """Carry nothing more on the connections that there are; how many they were."""
        silent, self._hearing = self._hearing, []
        for hearing in silent:
            hearing.clear()
        return len(silent)

    def part(self) -> None:
        """Carry nothing on any connection, new ones included, until `join`."""
        self._parted = True
        for hearing in self._hearing:
            hearing.clear()

    def join(self) -> None:
        """Carry all again, what was held back first."""
        self._parted = False
        for hearing in self._hearing:
            hearing.set()

    async def close(self) -> None:
        """Let go of every connection."""
        self._server.close()
        pumps = list(self._pumps)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, there_writer}
        hearing = asyncio.Event()
        if not self._parted:
            hearing.set()
        self._hearing.append(hearing)
        for source, target in ((reader, there_writer), (there_reader, writer)):
            pump = asyncio.create_task(self._pump(source, target, hearing))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, hearing: asyncio.Event
    ) -> None:
        try:
            while chunk := await source.read(_CHUNK):
                await hearing.wait()
                target.write(chunk)
                await target.drain()
        except ConnectionError:
            pass
        finally:
            target.close()


@asynccontextmanager
async def deaf_proxy(port: int) -> AsyncGenerator[DeafProxy]:
    """Run one."""
    proxy = DeafProxy(port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()
