"""Whoever is cancelled in the midst of a command ends: also in the very moment in which a step of it does."""

import asyncio

from realtime.redis import command_client, each


async def _cancelled_after(url: str, steps: int, *, connected: bool) -> bool:
    """Whether a command that is cancelled after so many steps of the loop lets its task end."""
    async with command_client(url) as client:
        if connected:
            await each(client, [("PING",)])

        async def ask() -> None:
            await each(client, [("PING",)])
            await asyncio.Event().wait()

        asking = asyncio.create_task(ask())
        for _ in range(steps):
            await asyncio.sleep(0)
        asking.cancel()
        ended, _ = await asyncio.wait({asking}, timeout=30)
        asking.cancel()
        # What was left behind on the way spoils nothing for others.
        assert await each(client, [("ECHO", "others")]) == [b"others"]
        return bool(ended)


async def test_no_cancellation_is_lost_while_it_connects(redis_url: str) -> None:
    """However far the first command has come."""
    went_on = [n for n in range(60) if not await _cancelled_after(redis_url, n, connected=False)]
    assert went_on == []


async def test_no_cancellation_is_lost_while_it_asks(redis_url: str) -> None:
    """However far a later one has come."""
    went_on = [n for n in range(20) if not await _cancelled_after(redis_url, n, connected=True)]
    assert went_on == []
