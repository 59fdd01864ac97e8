"""Another server: `websockets.broadcast` to all connections. Prints its port; takes `go COUNT INTERVAL`."""

from websockets.asyncio.server import ServerConnection, broadcast, serve

from tests.benchmarks.children import commands, run, say
from tests.benchmarks.servers.pace import FRAME, paced


async def _main() -> None:
    clients: set[ServerConnection] = set()

    async def handle(client: ServerConnection) -> None:
        clients.add(client)
        await client.wait_closed()

    # As many may knock at once as at ours: with a hundred, the default, a storm shows the kernel's patience.
    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=2048) as server:
        say(port=next(iter(server.sockets)).getsockname()[1])
        async for command in commands():
            await paced(command, lambda: broadcast(clients, FRAME))


if __name__ == "__main__":
    run(_main())
