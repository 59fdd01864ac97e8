"""What grows in front of a crowd, told in fewer and larger pieces.

The first piece of a text goes at once; those after it wait for the end of a pause that follows the number of those who
get them, and leave as one. Anything else that is published ends the pause: the order stays.
"""

import asyncio
from collections.abc import Callable

from realtime.frames import Event, Merged
from realtime.outbox import Merger

_SECONDS_EACH = 0.0003
_LONGEST_SECONDS = 0.25


class Gathering:
    """For one topic. `deliver` is called with what is due, in order."""

    CROWD = 50
    """With fewer subscribers nothing is gathered."""

    def __init__(self, merger: Merger, deliver: Callable[[Event | Merged], None]) -> None:
        self._merger = merger
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._key: str | None = None
        self._events: list[Event] = []
        self._timer: asyncio.TimerHandle | None = None
        self._quiet_until = 0.0
        self._pause = 0.0

    def put(self, event: Event, subscribers: int) -> None:
        """Take the next event of the topic."""
        key = self._merger.key(event.body)
        if key is None or key != self._key:
            self._flush()
            self._key = key
        elif subscribers >= self.CROWD:
            now = self._loop.time()
            if self._events or now < self._quiet_until:
                self._events.append(event)
                if self._timer is None:
                    self._timer = self._loop.call_at(self._quiet_until, self._flush)
                return
        else:
            self._flush()
        self._pause = min(subscribers * _SECONDS_EACH, _LONGEST_SECONDS)
        self._quiet_until = self._loop.time() + self._pause
        self._deliver(event)

    def drop(self) -> None:
        """Forget what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._events = []

    def _flush(self) -> None:
        """Tell what waits."""
        events = self._events
        self.drop()
        if not events:
            return
        self._quiet_until = self._loop.time() + self._pause
        if len(events) == 1:
            self._deliver(events[0])
            return
        first, last = events[0], events[-1]
        body = self._merger.merge([event.body for event in events])
        self._deliver(Merged(first.topic, first.offset, last.offset, body, tuple(events)))
