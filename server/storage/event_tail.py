"""One change stream for all who follow in a process, once they have come as far as the present.

Who begins at an older place reads alone at first. Once he finds nothing more there he takes a seat here, goes on alone
to the place to which the others had been told when he took it, and hears from then on what they hear. Some of it comes
to him twice. (That he finds nothing once more would not do: it may be an answer from before he took his seat.)

So each event is fetched and decoded once, however many follow; and where many come, they come in larger batches.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from server.storage.event_feed import Changes, EventFeed, Heard, Token, TokenLost, reached

_BATCH = 200
_GATHER_SECONDS = 0.1
"""How long an event waits for others: what a batch costs in round trips it costs once, and nobody sees a tenth of a
second in what is read a moment later anyway."""
_GATHER_SECONDS_EACH = 0.02
_LONGEST_GATHER_SECONDS = 0.25
"""Where many come: so much for each event of the batch before, up to this. From fifty a second on it grows to that."""
_BEHIND = 16
"""Batches that a seat may be behind; then its owner goes on alone."""


class Behind(Exception):
    """A seat was lost, because its owner was too slow."""


class Seat:
    """Hears what is told from the moment on at which it was taken; `since` is how far had been told then."""

    def __init__(self, since: Token) -> None:
        self.since = since
        self._heard: asyncio.Queue[Heard | Exception] = asyncio.Queue(_BEHIND)

    def tell(self, heard: Heard) -> bool:
        """Whether there was room for it."""
        try:
            self._heard.put_nowait(heard)
        except asyncio.QueueFull:
            return False
        return True

    def lose(self, error: Exception) -> None:
        """Nothing more comes: whoever waits, or comes next, gets an error."""
        while not self._heard.empty():
            self._heard.get_nowait()
        self._heard.put_nowait(error)

    async def batch(self) -> Heard:
        """What has come. Errors: `Behind`, `TokenLost`, `Unavailable`; a bug, if reading met one."""
        heard = await self._heard.get()
        if isinstance(heard, Exception):
            raise heard
        return heard


class EventTail:
    """Followers ask for `following`. Without `run`, everybody reads alone."""

    def __init__(self, feed: EventFeed) -> None:
        self.feed = feed
        self._running = False
        self._seats: set[Seat] = set()
        self._begins: Token | None = None
        self._told: Token | None = None
        """How far those who sit here have been told, or will have been before they hear anything."""
        self._wanted = asyncio.Event()

    async def run(self) -> None:
        """Read for those who have a seat, until cancelled."""
        self._running = True
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                if self._seats and self._begins is not None:
                    await self._read(self._begins)
        finally:
            self._running = False
            self._lose_all(Behind())

    @asynccontextmanager
    async def following(self, after: Token) -> AsyncGenerator["Following"]:
        """What was committed after a place. Errors, while it is read: `TokenLost`, `Unavailable`."""
        async with AsyncExitStack() as stack:
            following = Following(self, after, stack)
            try:
                yield following
            finally:
                await following.leave()

    def sit(self, begins: Token) -> Seat | None:
        """A seat, whose owner has come as far as `begins`; None where nobody reads here."""
        if not self._running:
            return None
        if not self._seats:
            self._begins = begins
            self._wanted.set()
        if self._told is None or (not self._seats and reached(begins, self._told)):
            self._told = begins
        seat = Seat(self._told)
        self._seats.add(seat)
        return seat

    def leave(self, seat: Seat) -> None:
        """It is not needed any more."""
        self._seats.discard(seat)

    async def _read(self, begins: Token) -> None:
        try:
            async with self.feed.changes(begins) as changes:
                gather = _GATHER_SECONDS
                while self._seats:
                    heard = await changes.batch(_BATCH, gather)
                    gather = max(_GATHER_SECONDS, len(heard.facts) * _GATHER_SECONDS_EACH)
                    gather = min(gather, _LONGEST_GATHER_SECONDS)
                    self._tell(heard)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is that of those who sit here: they try again
            self._lose_all(error)

    def _tell(self, heard: Heard) -> None:
        self._told = heard.token
        for seat in list(self._seats):
            if not seat.tell(heard):
                self._seats.discard(seat)
                seat.lose(Behind())

    def _lose_all(self, error: Exception) -> None:
        for seat in self._seats:
            seat.lose(error)
        self._seats.clear()


class Following:
    """One follower's way from a place on: alone, and then at the tail. Use it in one task."""

    def __init__(self, tail: EventTail, after: Token, stack: AsyncExitStack) -> None:
        self._tail = tail
        self._place: Token = after
        self._stack = stack
        self._alone: Changes | None = None
        self._seat: Seat | None = None
        self._seated = False
        self._closing: set[asyncio.Task[None]] = set()

    async def batch(self) -> Heard:
        """What has come; waits for something, and comes back without any after a while.

        Errors: `TokenLost`, `Unavailable`; a bug, if reading met one.
        """
        if self._seated and self._seat is not None:
            try:
                heard = await self._seat.batch()
            except (Behind, TokenLost):  # whether its own place is lost as well, it finds out by itself
                self._stand_up()
            except Exception:
                # Whatever it is, it goes on to whoever follows: he tries again, and not on a seat that is lost.
                self._stand_up()
                raise
            else:
                self._place = heard.token
                return heard
        if self._alone is None:
            self._alone = await self._stack.enter_async_context(self._tail.feed.changes(self._place))
        heard = await self._alone.batch(_BATCH, _GATHER_SECONDS)
        self._place = heard.token
        if self._seat is not None and reached(self._place, self._seat.since):
            self._seated, self._alone = True, None
            # The driver may take a second for it; what sits at the tail already is not kept waiting.
            closing = asyncio.create_task(self._stack.pop_all().aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        elif self._seat is None and not heard.facts:
            self._seat = self._tail.sit(self._place)
        return heard

    async def leave(self) -> None:
        """Give the seat back, and end what is still being closed."""
        if self._seat is not None:
            self._tail.leave(self._seat)
        await asyncio.gather(*self._closing)

    def _stand_up(self) -> None:
        self._seat, self._seated = None, False
