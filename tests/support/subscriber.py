"""A hub with a scripted log behind it, and a subscriber that keeps what a browser would."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from realtime.errors import Overloaded
from realtime.frames import Event
from realtime.hub import Hub, Subscription
from realtime.log.contract import Position, Reading, Record
from tests.support.scripted_log import ScriptedLog
from tests.support.waiting import wait_until

TOPIC = "cnv_1"


class Client:
    """A subscriber that keeps what a browser would, and begins again when it is told to."""

    def __init__(self, hub: Hub, topic: str = TOPIC) -> None:
        self.hub = hub
        self.topic = topic
        self.subscription: Subscription | None = None
        self.place = Position("", 0)
        self.bodies: list[bytes] = []
        self.begun: list[bool] = []
        """For each time that it began: whether it was recovered."""
        self.resets = 0
        self.rechecks = 0

    async def begin(self, after: Position | None = None) -> Reading:
        """Subscribe, as often as the hub says that it did not work out."""
        while True:
            self.subscription, reading = await self.hub.subscribe(self.topic, self, after)
            self.take(reading)
            try:
                self.subscription.go_live(reading.position)
            except Overloaded:
                self.leave()
            else:
                return reading

    def take(self, reading: Reading) -> None:
        """What the answer to a subscription says."""
        self.begun.append(reading.recovered)
        self.place = Position(reading.position.epoch, reading.position.offset - len(reading.entries))
        for entry in reading.entries:
            self.deliver(Event(self.topic, entry.offset, entry.body))

    def deliver(self, event: Event) -> None:
        """See `Subscriber`."""
        assert event.offset == self.place.offset + 1, f"a hole: {self.place.offset} then {event.offset}"
        self.place = Position(self.place.epoch, event.offset)
        self.bodies.append(event.body)

    def reset(self, topic: str) -> None:
        """See `Subscriber`."""
        assert topic == self.topic
        self.resets += 1

    def recheck(self, topic: str) -> None:
        """See `Subscriber`."""
        assert topic == self.topic
        self.rechecks += 1

    def leave(self) -> None:
        """Unsubscribe."""
        assert self.subscription
        self.hub.unsubscribe(self.subscription)

    async def until(self, log: ScriptedLog) -> None:
        """Wait until it is where the log is."""

        async def arrived() -> bool:
            return [self.place] == await log.offsets([self.topic])

        await wait_until(arrived, within=5)


@asynccontextmanager
async def running(hub: Hub) -> AsyncGenerator[Hub]:
    """Run a hub while the body runs."""
    async with asyncio.TaskGroup() as group:
        tasks = hub.start(group)
        yield hub
        for task in tasks:
            task.cancel()


def body(text: object) -> bytes:
    """An event's body."""
    return b'{"n":"%s"}' % str(text).encode()


async def append(log: ScriptedLog, *texts: object) -> None:
    """Append events to the topic."""
    await log.append(TOPIC, [Record(body(text)) for text in texts])


async def lose(log: ScriptedLog, *texts: object) -> None:
    """Append events whose publication is lost."""
    log.silent = True
    await append(log, *texts)
    log.silent = False


async def turn() -> None:
    """Let everything that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)
