"""Ready means delivering: a canary goes through the log, the engine's pub/sub and the hub, and must come back.

A subscriber can be deaf while every health check is green, so being able to reach the engines says little.
"""

import asyncio

from pymongo.errors import PyMongoError

from realtime.errors import RealtimeError
from realtime.frames import Event, Merged
from realtime.hub import Hub, Subscription
from realtime.log.contract import Log, Record
from server.storage.database import Client

_SECONDS = 2.0


class Canary:
    """One instance's own topic, subscribed to as clients do."""

    def __init__(self, hub: Hub, log: Log, database: Client, instance: str) -> None:
        self._hub = hub
        self._log = log
        self._database = database
        self._topic = f"canary-{instance}"
        self._subscription: Subscription | None = None
        self._heard = 0
        self._changed = asyncio.Event()
        self._lock = asyncio.Lock()
        self._songs = 0
        self._wrong: dict[str, str] = {}

    def deliver(self, event: Event | Merged) -> None:
        """It came back."""
        self._heard = event.offset
        self._changed.set()

    def reset(self, topic: str) -> None:
        """The log began anew."""
        self._subscription = None

    def recheck(self, topic: str) -> None:
        """Nobody is ever turned away from this topic."""

    async def sing(self) -> dict[str, str]:
        """What is wrong, by part; empty when all is well. A song takes 2 s at the most for each part.

        Anybody may ask. Who asks during a song hears the next one, with all others who do: so nobody waits for more
        than two, however many ask.
        """
        hears = self._songs + (2 if self._lock.locked() else 1)
        async with self._lock:
            if self._songs < hears:
                wrong = {"delivery": await self._delivery(), "database": await self._reached()}
                self._wrong = {part: trouble for part, trouble in wrong.items() if trouble}
                self._songs += 1
            return self._wrong

    async def _delivery(self) -> str:
        try:
            async with asyncio.timeout(_SECONDS):
                if self._subscription is None:
                    subscription, reading = await self._hub.subscribe(self._topic, self, None)
                    subscription.go_live(reading.position)
                    self._subscription = subscription
                self._heard = 0  # in a log that began anew, what was heard before says nothing
                [position] = await self._log.append(self._topic, [Record(b"{}")])
                if isinstance(position, Exception):
                    return str(position)
                while self._heard < position.offset:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return "an event was published and did not come back"
        except RealtimeError as error:
            return str(error)
        return ""

    async def _reached(self) -> str:
        try:
            async with asyncio.timeout(_SECONDS):
                await self._database.admin.command("ping")
        except (PyMongoError, TimeoutError) as error:
            return type(error).__name__
        return ""
