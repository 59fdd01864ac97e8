"""How often a stream's connection is looked at: whoever reads may say that no sooner than now and then is enough.

A look at a connection costs several times what a token in it does. What comes meanwhile waits in the kernel, and is
then read at once. So it is the connection that is left alone, and not its reader: who only stops asking for tokens
finds those that are there, and must then look once more to know that there are no others.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from typing import Any

import httpx2

_pause: ContextVar[Callable[[], float] | None] = ContextVar("pause", default=None)


@contextmanager
def read_every(pause: Callable[[], float]) -> Generator[None]:
    """What is read in here may wait so many seconds from one look to the next; `pause` is asked before each."""
    token = _pause.set(pause)
    try:
        yield
    finally:
        _pause.reset(token)


@contextmanager
def paced(response: httpx2.Response, flows: Callable[[], bool]) -> Generator[None]:
    """Leave a response's connection alone in between, while `flows` says that there is time."""
    pause, stream = _pause.get(), response.extensions.get("network_stream")
    if pause is None or stream is None:
        yield
        return
    clock = asyncio.get_running_loop().time
    read: Callable[..., Any] = stream.read
    looked = clock()

    async def patient(max_bytes: int, timeout: float | None = None) -> bytes:
        nonlocal looked
        if flows() and (left := looked + pause() - clock()) > 0:
            await asyncio.sleep(left)
        found: bytes = await read(max_bytes, timeout)
        looked = clock() if len(found) < max_bytes else -inf  # there is more
        return found

    stream.read = patient
    try:
        yield
    finally:
        del stream.read
