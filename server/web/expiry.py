"""Whoever is here by a token leaves when it has run out: a socket lives for as long as a request would pass.

One look at all of them now and then, in place of a timer for each, which thousands of idle clients would pay for.
"""

import asyncio
import time
from collections.abc import Collection

import structlog

from realtime.connection import Connection
from realtime.session import CloseCode, Refused

_log = structlog.get_logger(__name__)

_LOOK_SECONDS = 2.0


async def watch(*rooms: Collection[Connection]) -> None:
    """Show out of the rooms whose token has run out, until cancelled."""
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        now = time.time()
        due = [one for room in rooms for one in room if one.until <= now]
        for one in due:
            refusal = Refused("unauthenticated", "The token is out of date.")
            one.show_out(refusal, CloseCode.UNAUTHENTICATED)
        if due:
            _log.info("tokens ran out", clients=len(due))
