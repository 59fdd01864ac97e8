"""A connection is looked at no oftener than its reader wants, and left as it was."""

import asyncio
from itertools import pairwise

import httpx2

from providers.pacing import paced, resting

PAUSE = 0.05


class Connection:
    """In the place of a network stream: something is there whenever it is looked at."""

    def __init__(self, size: int = 1) -> None:
        self._size = size
        self.looked: list[float] = []

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Some bytes, and a note of when."""
        self.looked.append(asyncio.get_running_loop().time())
        return b"x" * min(self._size, max_bytes)


def response(connection: Connection) -> httpx2.Response:
    """A response on a connection."""
    return httpx2.Response(200, extensions={"network_stream": connection})


async def test_it_is_left_alone_between_two_looks() -> None:
    """Also the first time, which follows the look that found the head."""
    connection, clock = Connection(), asyncio.get_running_loop().time
    began = clock()
    with resting(lambda: PAUSE), paced(response(connection), lambda: True):
        for _ in range(3):
            assert await connection.read(64, None) == b"x"
    assert all(later - sooner >= 0.9 * PAUSE for sooner, later in pairwise([began, *connection.looked]))


async def test_nobody_waits_where_nothing_flows() -> None:
    """Before the first token, and after the last."""
    connection = Connection()
    with resting(lambda: 3600), paced(response(connection), lambda: False):
        for _ in range(3):
            await connection.read(64, None)
    assert len(connection.looked) == 3


async def test_what_filled_a_look_is_read_on() -> None:
    """There is more than one look takes: whoever is quick is not held up."""
    connection, pauses = Connection(size=64), iter([0.0, *[3600.0] * 3])
    with resting(lambda: next(pauses)), paced(response(connection), lambda: True):
        for _ in range(3):
            assert len(await connection.read(64, None)) == 64
    assert len(connection.looked) == 3


async def test_a_connection_is_left_as_it_was() -> None:
    """The next response on it has its own pace; without a wish there is none."""
    connection = Connection()
    with paced(response(connection), lambda: True):
        await connection.read(64, None)
    with resting(lambda: PAUSE):
        with paced(response(connection), lambda: True):
            assert "read" in vars(connection)
        assert "read" not in vars(connection)
        with paced(httpx2.Response(200), lambda: True):
            pass  # a transport that shows no connection
