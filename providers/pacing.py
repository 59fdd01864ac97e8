"""How often a stream's connection is looked at: whoever reads may say that no sooner than now and then is enough.

A look at a connection costs several times what a token in it does. What comes meanwhile waits in the kernel, and is
then read at once. So it is the connection that is left alone, and not its reader: who only stops asking for tokens
finds those that are there, and must then look once more to know that there are no others.
"""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpx2

_rest: ContextVar[Callable[[], float] | None] = ContextVar("rest", default=None)


@contextmanager
def resting(rest: Callable[[], float]) -> Generator[None]:
    """What is read in here may be left alone for a while; `rest` is asked before each look for how many seconds."""
    token = _rest.set(rest)
    try:
        yield
    finally:
        _rest.reset(token)


@contextmanager
def paced(response: httpx2.Response, flows: Callable[[], bool]) -> Generator[None]:
    """Leave a response's connection alone in between, while `flows` says that there is time."""
    rest, stream = _rest.get(), response.extensions.get("network_stream")
    if rest is None or stream is None:
        yield
        return
    read: Callable[..., Any] = stream.read
    more = False

    async def patient(max_bytes: int, timeout: float | None = None) -> bytes:
        nonlocal more
        if flows() and not more:
            await asyncio.sleep(rest())
        found: bytes = await read(max_bytes, timeout)
        more = len(found) == max_bytes
        return found

    stream.read = patient
    try:
        yield
    finally:
        del stream.read
