"""PyMongo's waits: for an answer, without a task for each; for a server or a connection, under a lock that is not lost.

For every command the driver begins three tasks: one to write what the loop takes at once, one to read the answer, and
one that looks every half a second whether the connection was given up. Making and ending them was a quarter of what a
command costs this process. Here whoever waits reads by itself, under a timer that looks for both.

Who waits for a server, or for a connection, gives a lock away meanwhile and takes it back in the end. The driver waits
by `asyncio.wait_for`, which before Python 3.12 leaves that to a task of its own: when its time is over and it is
cancelled as well, it goes on without the lock, which that task takes later, for ever. No command of that client ever
ends then. So a database that was away for a moment could stop a process for good. Here whoever waits takes it back.

This reaches into the driver, which has no other way in; so only into the version that was looked at. Any other goes by
its own ways, and costs what it costs.
"""

import asyncio
import time
from typing import Any

import pymongo
from pymongo import _csot
from pymongo.asynchronous import pool, topology
from pymongo.errors import _OperationCancelled  # pyright: ignore[reportPrivateUsage]: see above
from pymongo.message import _UNPACK_REPLY  # pyright: ignore[reportPrivateUsage]: see above

KNOWN = (4, 20)
_LOOK_SECONDS = 0.5
_MOST_BYTES = 2 * 1024 * 1024 * 1024
_csot_any: Any = _csot
_pool: Any = pool
_topology: Any = topology


def lighten() -> bool:
    """Let all clients of this process wait so; whether the driver is the one that is known."""
    if pymongo.version_tuple[:2] != KNOWN:
        return False
    _pool.async_sendall, _pool.async_receive_message = _send, _receive
    _pool._async_cond_wait = _topology._async_cond_wait = _wait  # noqa: SLF001 - see above
    return True


async def _wait(condition: Any, timeout: float | None) -> bool:
    """Until it is notified; False when the time is over. The lock is held again, whatever ends the wait."""
    try:
        async with asyncio.timeout(timeout):
            return await condition.wait()
    except TimeoutError:
        return False


async def _send(connection: Any, message: bytes) -> None:
    await connection.write(message)  # it waits for nothing: the transport keeps what the kernel does not take


async def _receive(connection: Any, request_id: int | None, most: int = _MOST_BYTES) -> Any:
    """One answer. Errors: `TimeoutError`; `_OperationCancelled` when its connection was given up; `OSError`."""
    watch = _Watch(connection)
    try:
        data, code = await connection.conn.get_conn.read(request_id, most)
    except asyncio.CancelledError as error:
        watch.judge(error)
        raise
    finally:
        watch.end()
    return _UNPACK_REPLY[code](data)


class _Watch:
    """Ends its task's wait when the time is over, or the connection is given up."""

    __slots__ = ("_cancelling", "_connection", "_deadline", "_loop", "_task", "_timer", "_why")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(self._loop)
        assert task is not None
        self._task: asyncio.Task[Any] = task
        self._cancelling = task.cancelling()
        self._deadline = _deadline(connection)
        self._why: Exception | None = None
        self._set()

    def judge(self, error: asyncio.CancelledError) -> None:
        """Raise what ended the wait, if it was not somebody else who cancels the task."""
        if self._why is not None and self._task.uncancel() <= self._cancelling:
            raise self._why from error

    def end(self) -> None:
        """The wait is over."""
        self._timer.cancel()

    def _set(self) -> None:
        pause = _LOOK_SECONDS
        if self._deadline is not None:
            pause = min(pause, max(self._deadline - time.monotonic(), 0.0))
        self._timer = self._loop.call_later(pause, self._look)

    def _look(self) -> None:
        if self._connection.cancel_context.cancelled:
            self._why = _OperationCancelled("operation cancelled")
        elif self._deadline is not None and time.monotonic() >= self._deadline:
            self._why = TimeoutError("timed out")
        else:
            self._set()
            return
        self._task.cancel()


def _deadline(connection: Any) -> float | None:
    """That of `pymongo.timeout`, else the socket's own."""
    if _csot_any.get_timeout():
        return _csot_any.get_deadline()
    timeout = connection.conn.gettimeout
    return time.monotonic() + timeout if timeout else None
