"""The hub of one instance: each topic is followed once, however many sockets want it.

Subscribing closes the gap between history and live as Centrifugo does: begin to buffer live events, read the log,
answer, flush what was buffered and is newer, check that it joins without a hole, go live. A hole on the live path
(a lost publication, a reconnection) is mended by reading the log again; a lost *last* publication is found by
comparing positions every few seconds. When the epoch changes, earlier offsets say nothing any more, and every
subscription of the topic is told to start from a snapshot.

An event that may change who is let in has every subscriber of the topic looked at again (`recheck`): whoever was let in
once would otherwise hear of everything for as long as its socket lives.

What grows in front of a crowd is told in fewer, larger pieces: the pause between two frames of one text widens with the
number of those who get them, so that a text that hundreds read costs little more than one that fifty read.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from realtime.errors import Overloaded, Unavailable
from realtime.frames import Event, Merged
from realtime.gathering import Gathering
from realtime.log.contract import Entry, Feed, Log, Notice, Position, Published, Reading
from realtime.outbox import Merger

_log = structlog.get_logger(__name__)

_BUFFERED_EVENTS = 4096
_CHECK_SECONDS = 3.0
_LINGER_SECONDS = 10.0
_ROUNDS_AT_ONCE, _ROUNDS_BETWEEN = 4, 8
"""A topic that has not moved for four checks is quiet: it is looked after in every eighth from then on."""


class Subscriber(Protocol):
    """One client's end of a subscription; every method returns at once."""

    def deliver(self, event: Event | Merged) -> None:
        """Take the next event: its (first) offset is one more than that of the event before."""
        ...

    def reset(self, topic: str) -> None:
        """The topic cannot go on from where it was: subscribe again, from a snapshot."""
        ...

    def recheck(self, topic: str) -> None:
        """Who may follow the topic may have changed: see whether this one still may."""
        ...


@dataclass(slots=True, eq=False)
class Subscription:
    """A subscriber's place in a topic. It buffers until `go_live` is called."""

    topic: str
    subscriber: Subscriber
    offset: int = 0
    """The last that was delivered, once the subscription is live."""
    buffer: list[Event | Merged] | None = field(default_factory=list[Event | Merged])
    outdated: bool = False
    """It cannot go live: the log began anew, or more was published than it buffers."""
    doubted: bool = False
    """Who is let in may have changed since it was: look again as soon as it is live."""

    def offer(self, event: Event | Merged) -> None:
        """Deliver an event that is newer than the last, or keep it until the subscription is live."""
        if self.buffer is None:
            if event.offset > self.offset:
                if isinstance(event, Merged) and event.first <= self.offset:
                    self._offer_rest(event)
                else:
                    self.offset = event.offset
                    self.subscriber.deliver(event)
        elif len(self.buffer) < _BUFFERED_EVENTS:
            self.buffer.append(event)
        else:
            self.outdated = True

    def doubt(self) -> None:
        """Have it looked at whether the subscriber still may follow the topic."""
        if self.buffer is None:
            self.subscriber.recheck(self.topic)
        else:
            self.doubted = True

    def _offer_rest(self, merged: Merged) -> None:
        """Who came in the middle has the beginning already."""
        for event in merged.parts:
            if event.offset > self.offset:
                self.offset = event.offset
                self.subscriber.deliver(event)

    def go_live(self, position: Position) -> None:
        """Deliver what was buffered beyond `position` and stop buffering.

        Errors: `Overloaded` when the buffer does not join `position` (it was full, or is of another epoch);
        unsubscribe then, and subscribe again.
        """
        if self.outdated:
            raise Overloaded("the log began anew, or too much was published, while a subscription began")
        buffered, self.buffer = self.buffer or [], None
        self.offset = position.offset
        for event in buffered:
            if event.first > self.offset + 1:
                raise Overloaded("something was lost while a subscription began")
            self.offer(event)
        if self.doubted:
            self.subscriber.recheck(self.topic)


@dataclass(slots=True, eq=False)
class _Topic:
    name: str
    position: Position | None = None
    seen: Position | None = None
    """The last publication while no position was known."""
    subscriptions: set[Subscription] = field(default_factory=set[Subscription])
    healing: asyncio.Task[None] | None = None
    backlog: list[Published] = field(default_factory=list[Published])
    linger: asyncio.TimerHandle | None = None
    gathering: Gathering | None = None
    """Of a topic that a crowd follows."""
    checked: Position | None = None
    rounds: int = 0
    """Checks since it was last seen to move."""


class Hub:
    """Use as `async with asyncio.TaskGroup() as group: hub.start(group)`; the group's end stops it.

    `changes_admission` tells, by an event's body, whether others may follow the topic from there on than before.
    """

    def __init__(
        self,
        log: Log,
        feed: Feed,
        merger: Merger | None = None,
        *,
        changes_admission: Callable[[bytes], bool] | None = None,
        check_seconds: float = _CHECK_SECONDS,
        linger_seconds: float = _LINGER_SECONDS,
    ) -> None:
        self._log = log
        self._feed = feed
        self._merger = merger
        self._changes_admission = changes_admission or _never
        self._check_seconds = check_seconds
        self._linger_seconds = linger_seconds
        self._topics: dict[str, _Topic] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self.delivered = 0
        self.on_notice: Callable[[Notice | None], None] = _ignore
        """Is given the notices of the topics that are followed; None when some may have been missed."""

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Begin to follow; cancel the returned tasks to stop."""
        self._tasks = group
        return [group.create_task(self._follow()), group.create_task(self._check_positions())]

    async def subscribe(
        self, topic: str, subscriber: Subscriber, after: Position | None
    ) -> tuple[Subscription, Reading]:
        """Attach a subscriber. The caller sends what `Reading` holds and then calls `go_live(reading.position)`.

        Errors: `Unavailable`; nothing stays attached then.
        """
        state = self._topics.get(topic)
        if state is None:
            state = self._topics[topic] = _Topic(topic)
        if state.linger is not None:
            state.linger.cancel()
            state.linger = None
        subscription = Subscription(topic, subscriber)
        state.subscriptions.add(subscription)
        try:
            await self._feed.follow(topic)
            reading = await self._log.read(topic, after)
        except BaseException:  # also cancelled: what stays attached would be delivered to for ever
            self.unsubscribe(subscription)
            raise
        known = state.position
        # An outdated subscription has read what is older than the hub knows by now.
        if known is None or (known.epoch != reading.position.epoch and not subscription.outdated):
            self._adopt(state, reading.position, reader=subscription)
        # It was let in before this was read.
        subscription.doubted |= any(self._changes_admission(entry.body) for entry in reading.entries)
        return subscription, reading

    def unsubscribe(self, subscription: Subscription) -> None:
        """Detach; the topic is followed a little longer, as people who reload come back at once."""
        state = self._topics.get(subscription.topic)
        if state is None:
            return
        state.subscriptions.discard(subscription)
        if not state.subscriptions and state.linger is None:
            loop = asyncio.get_running_loop()
            state.linger = loop.call_later(self._linger_seconds, self._drop, state)

    def topics(self) -> int:
        """How many topics this instance follows."""
        return len(self._topics)

    async def _follow(self) -> None:
        try:
            async for published in self._feed.events():
                if published is None or isinstance(published, Notice):
                    self.on_notice(published)
                if isinstance(published, Notice):
                    continue
                if published is None:
                    for state in list(self._topics.values()):
                        self._heal(state)
                    continue
                state = self._topics.get(published.topic)
                if state is not None:
                    self._receive(state, published)
        finally:
            self._tasks = None
            for state in self._topics.values():
                if state.healing is not None:
                    state.healing.cancel()
                if state.gathering is not None:
                    state.gathering.drop()

    def _receive(self, state: _Topic, published: Published) -> None:
        if state.healing is not None:
            if len(state.backlog) < _BUFFERED_EVENTS:
                state.backlog.append(published)
            return
        if state.position is None:
            # Nobody is live yet; those who begin compare this with what they read.
            if state.seen is not None and state.seen.epoch != published.position.epoch:
                self._outdate(state)
            state.seen = published.position
            self._offer(state, Entry(published.position.offset, published.body))
            return
        if published.position.epoch != state.position.epoch:
            self._adopt(state, published.position)
            self._offer(state, Entry(published.position.offset, published.body))
            return
        expected = state.position.offset + 1
        if published.position.offset < expected:
            return
        if published.position.offset > expected:
            _log.info(
                "hole on the live path", topic=state.name, expected=expected, got=published.position.offset
            )
            self._heal(state)
            return
        state.position = published.position
        self._offer(state, Entry(published.position.offset, published.body))

    def _offer(self, state: _Topic, entry: Entry) -> None:
        event = Event(state.name, entry.offset, entry.body)
        if state.gathering is not None or (self._merger and len(state.subscriptions) >= Gathering.CROWD):
            if state.gathering is None and self._merger:
                state.gathering = Gathering(self._merger, lambda event: self._deliver(state, event))
            if state.gathering is not None:
                state.gathering.put(event, len(state.subscriptions))
        else:
            self._deliver(state, event)
        if self._changes_admission(entry.body):
            for subscription in list(state.subscriptions):
                subscription.doubt()

    def _deliver(self, state: _Topic, event: Event | Merged) -> None:
        self.delivered += len(state.subscriptions)
        first, offset = event.first, event.offset
        for subscription in state.subscriptions:
            # Nearly all are live and in step, and this is what each frame to each client costs: no step too many.
            if subscription.buffer is None and subscription.offset < first:
                subscription.offset = offset
                subscription.subscriber.deliver(event)
            else:
                subscription.offer(event)

    def _adopt(self, state: _Topic, position: Position, reader: Subscription | None = None) -> None:
        """Take over a position that the known one does not lead to: all but its reader must begin again."""
        old, state.position = state.position, position
        if old is None:
            if state.seen is None:
                return
            if state.seen.epoch == position.epoch:
                state.position = max(position, state.seen, key=lambda place: place.offset)
            else:
                self._outdate(state)  # which of the two is the newer one, another reading tells
            return
        if state.gathering is not None:
            state.gathering.drop()
        for subscription in list(state.subscriptions):
            if subscription is reader:
                subscription.buffer = []  # of the old epoch
            elif subscription.buffer is not None:
                subscription.outdated = True
            else:
                self.unsubscribe(subscription)
                subscription.subscriber.reset(state.name)

    def _outdate(self, state: _Topic) -> None:
        for subscription in state.subscriptions:
            subscription.outdated = True

    def _heal(self, state: _Topic) -> None:
        if state.healing is None and state.position is not None and self._tasks is not None:
            state.healing = self._tasks.create_task(self._read_again(state))

    async def _read_again(self, state: _Topic) -> None:
        """Read what the live path missed, then go on with what arrived meanwhile."""
        position = state.position
        assert position is not None
        delay = 0.1
        while True:
            try:
                reading = await self._log.read(state.name, position)
                break
            except Unavailable as error:
                _log.warning("cannot read the log", topic=state.name, error=str(error), retry_in=delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 2.0)
        if state.position is not position:
            _log.info("the log began anew meanwhile", topic=state.name)
        elif reading.recovered:
            for entry in reading.entries:
                self._offer(state, entry)
            state.position = reading.position
        else:
            self._adopt(state, reading.position)
        backlog, state.backlog = state.backlog, []
        state.healing = None
        for published in backlog:
            self._receive(state, published)

    async def _check_positions(self) -> None:
        """Find what nobody would notice: a lost publication with none after it."""
        turn = 0
        while True:
            await asyncio.sleep(self._check_seconds)
            turn += 1
            states = [state for n, state in enumerate(self._topics.values()) if _is_due(state, turn + n)]
            if not states:
                continue
            before = [state.position for state in states]
            try:
                actual = await self._log.offsets([state.name for state in states])
            except Unavailable:
                continue  # the feed notices the same, and says so
            for state, known, found in zip(states, before, actual, strict=True):
                # Only a topic that has not moved since can be said to have missed something.
                if found is not None and found != known and state.position == known:
                    self._heal(state)

    def _drop(self, state: _Topic) -> None:
        if self._tasks is None or state.subscriptions:
            return
        del self._topics[state.name]
        if state.gathering is not None:
            state.gathering.drop()
        if state.healing is not None:
            state.healing.cancel()
        self._tasks.create_task(self._unfollow(state.name))

    async def _unfollow(self, topic: str) -> None:
        if topic not in self._topics:  # somebody may have come back in this very moment
            await self._feed.unfollow(topic)


def _is_due(state: _Topic, turn: int) -> bool:
    """Whether it is a topic's turn to be checked: the quiet ones take turns."""
    if not state.subscriptions or state.position is None or state.healing is not None:
        return False
    state.rounds = state.rounds + 1 if state.checked is state.position else 0
    state.checked = state.position
    return state.rounds < _ROUNDS_AT_ONCE or turn % _ROUNDS_BETWEEN == 0


def _ignore(notice: Notice | None) -> None:
    return None


def _never(body: bytes) -> bool:
    return False
