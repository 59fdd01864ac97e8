"""`python -m server replay PROJECTION`: make it anew from all stored events, while the house goes on."""

import os
import socket
from collections.abc import Callable

from server import wiring
from server.projections.checkpoints import LeaseLost
from server.projections.rebuild import Busy, Rebuild
from server.settings import Settings
from server.storage.database import database
from server.storage.event_feed import EventFeed
from server.wiring import reading

_EVERY = 10_000


async def rebuild(settings: Settings, name: str, say: Callable[[str], object]) -> None:
    """Rebuild one of `PROJECTIONS`. Errors: `NotConfigured` with a sentence, `Unavailable`."""
    if settings.mongodb_url is None:
        raise wiring.NotConfigured("Set CHAT_MONGODB_URL, or run `up` here, whose database is used.")
    told = 0

    def progress(events: int) -> None:
        nonlocal told
        if events - told >= _EVERY:
            told = events
            say(f"{events} events …")

    async with (
        database(settings.mongodb_url, settings.mongodb_database) as client,
        reading.search_engine(settings, client) as engine,
    ):
        [projection] = [one for one in reading.projections(settings, client, engine) if one.name == name]
        places = reading.checkpoints(settings, client)
        holder = f"replay-{socket.gethostname()}-{os.getpid()}"
        try:
            events = await Rebuild(projection, EventFeed(), places, holder, progress).run()
        except (Busy, LeaseLost):
            raise wiring.NotConfigured(f"{name} is being rebuilt by another process now.") from None
    say(f"{name}: {events} events, and in its place.")
