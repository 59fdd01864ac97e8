"""One heartbeat for all WebSockets of a server: a ready ping for whoever has its turn, an end for whoever is silent.

In place of a timer, a ping of its own and a deadline for each, which thousands of idle clients would pay for.
"""

import asyncio
import random
from collections.abc import Collection

from server.web.ready_frames import ReadyFrames

_TICK_SECONDS = 1.0


async def beat(connections: Collection[object], seconds: float) -> None:
    """Ping every WebSocket of ours among `connections` once in so many seconds, until cancelled.

    Who has said nothing, not even a pong, between one ping and the next is gone.
    """
    loop = asyncio.get_running_loop()
    tick = min(_TICK_SECONDS, seconds / 4)
    while True:
        await asyncio.sleep(tick)
        now = loop.time()
        due = [one for one in connections if isinstance(one, ReadyFrames) and one.ping_at <= now]
        for one in due:
            if one.ping_at:
                one.ping()
                one.ping_at = now + seconds
            else:
                # Those who came at once must not have their turns at once.
                one.ping_at = now + random.uniform(0.5, 1.0) * seconds  # noqa: S311 - a spread, and not secrecy
