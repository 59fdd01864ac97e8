"""Waiting for what happens elsewhere, without counting on how long it takes."""

import asyncio
from collections.abc import Awaitable, Callable


async def wait_until(true: Callable[[], Awaitable[bool]], *, within: float = 30.0) -> None:
    """Ask until the answer is yes; raises `TimeoutError` after so many seconds."""
    async with asyncio.timeout(within):
        while not await true():  # noqa: ASYNC110 - it happens in another process, which sets no event
            await asyncio.sleep(0.02)
