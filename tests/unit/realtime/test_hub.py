"""The hub: one subscription per topic, whatever the engine loses on the way."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from realtime import hub as hub_module
from realtime.errors import Overloaded, Unavailable
from realtime.frames import Event
from realtime.hub import Hub, Subscription
from realtime.log.contract import Position, Published, Reading, Record, Retention
from tests.support.scripted_log import ScriptedFeed, ScriptedLog
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


@pytest.fixture
def log() -> ScriptedLog:
    """Give a log that loses what it is told to lose."""
    return ScriptedLog()


@pytest.fixture
def feed(log: ScriptedLog) -> ScriptedFeed:
    """Give its feed."""
    return ScriptedFeed(log)


@pytest.fixture
async def hub(log: ScriptedLog, feed: ScriptedFeed) -> AsyncGenerator[Hub]:
    """Give a running hub that checks positions so seldom that no test sees it."""
    async with running(Hub(log, feed, check_seconds=1000)) as hub:
        yield hub


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


async def test_all_subscribers_get_the_same_event(hub: Hub, log: ScriptedLog, feed: ScriptedFeed) -> None:
    """The topic is followed once, and the very same object goes to everybody: it is encoded once."""
    clients = [Client(hub) for _ in range(3)]
    got: list[list[Event]] = [[], [], []]
    for client, events in zip(clients, got, strict=True):
        client.deliver = events.append  # pyright: ignore[reportAttributeAccessIssue]: this test wants the objects
        await client.begin()
    await append(log, "a", "b")
    await turn()
    assert [[event.offset for event in events] for events in got] == [[1, 2]] * 3
    assert got[0][0] is got[1][0] is got[2][0]
    assert (feed.followed, hub.topics(), hub.delivered) == ({TOPIC}, 1, 6)


async def test_resuming_joins_the_log_and_the_live_path(hub: Hub, log: ScriptedLog) -> None:
    """Who says where it was gets what it missed and then what happens, without a seam."""
    await append(log, 1, 2, 3)
    reading = await log.read(TOPIC, None)
    client = Client(hub)
    await client.begin(Position(reading.position.epoch, 1))
    await append(log, 4)
    await turn()
    assert client.begun == [True]
    assert client.bodies == [body(2), body(3), body(4)]


async def test_events_wait_while_a_subscription_begins(hub: Hub, log: ScriptedLog) -> None:
    """What is published between the reading and going live is neither lost nor delivered twice."""
    await append(log, 1)
    client = Client(hub)
    log.answering.clear()
    beginning = asyncio.create_task(client.begin())
    await turn()
    adding = asyncio.create_task(append(log, 2, 3))
    await turn()
    assert client.bodies == []
    log.answering.set()
    await beginning
    await adding
    await append(log, 4)
    await turn()
    assert client.bodies == [body(2), body(3), body(4)]


async def test_what_the_reading_holds_is_not_delivered_again(hub: Hub, log: ScriptedLog) -> None:
    """A publication that overtakes the reading is in both, and told once."""
    await append(log, 1)
    client = Client(hub)
    client.subscription, reading = await hub.subscribe(TOPIC, client, None)
    await append(log, 2)
    later = await log.read(TOPIC, reading.position)
    await turn()
    client.take(later)
    client.subscription.go_live(later.position)
    assert client.bodies == [body(2)]
    await append(log, 3)
    await turn()
    assert client.bodies == [body(2), body(3)]


async def test_more_than_is_buffered_is_said_and_never_skipped(
    hub: Hub, log: ScriptedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subscription that takes too long to begin must begin again: going live would be a hole."""
    monkeypatch.setattr(hub_module, "_BUFFERED_EVENTS", 3)
    client = Client(hub)
    client.subscription, reading = await hub.subscribe(TOPIC, client, None)
    await append(log, 1, 2, 3, 4)
    await turn()
    with pytest.raises(Overloaded):
        client.subscription.go_live(reading.position)
    client.leave()
    await client.begin()
    await append(log, 5)
    await turn()
    assert client.bodies == [body(5)]


async def test_a_hole_on_the_live_path_is_mended(hub: Hub, log: ScriptedLog) -> None:
    """A lost publication is read from the log as soon as the next one shows that it is missing."""
    client = Client(hub)
    await client.begin()
    await lose(log, 1, 2)
    await append(log, 3)
    await append(log, 4)
    await client.until(log)
    assert client.bodies == [body(n) for n in (1, 2, 3, 4)]


async def test_a_hole_before_anybody_is_live_is_mended(hub: Hub, log: ScriptedLog) -> None:
    """What is lost while the first subscription begins shows when it goes live."""
    client = Client(hub)
    client.subscription, reading = await hub.subscribe(TOPIC, client, None)
    await lose(log, 1)
    await append(log, 2)
    await turn()
    client.take(reading)
    client.subscription.go_live(reading.position)
    await client.until(log)
    assert client.bodies == [body(1), body(2)]


async def test_what_arrives_while_a_hole_is_mended_comes_after(hub: Hub, log: ScriptedLog) -> None:
    """Live events wait for the reading, and those that it held are not told twice."""
    client = Client(hub)
    await client.begin()
    await lose(log, 1)
    log.answering.clear()
    adding = [asyncio.create_task(append(log, n)) for n in (2, 3, 4)]
    await turn()
    log.answering.set()
    await asyncio.gather(*adding)
    await client.until(log)
    assert client.bodies == [body(n) for n in (1, 2, 3, 4)]


async def test_a_feed_that_was_cut_makes_the_hub_read(hub: Hub, log: ScriptedLog, feed: ScriptedFeed) -> None:
    """None says that something may be missing: it is read without waiting for the next event."""
    client = Client(hub)
    await client.begin()
    await lose(log, 1, 2)
    feed.cut()
    await client.until(log)
    assert client.bodies == [body(1), body(2)]


async def test_a_log_that_is_away_is_asked_again(hub: Hub, log: ScriptedLog, feed: ScriptedFeed) -> None:
    """Mending goes on until the log answers; nobody is sent away for it."""
    client = Client(hub)
    await client.begin()
    await lose(log, 1)
    log.away = True
    feed.cut()
    await turn()
    assert client.bodies == []
    log.away = False
    await client.until(log)
    assert (client.bodies, client.resets) == ([body(1)], 0)


async def test_a_lost_last_publication_is_found(log: ScriptedLog, feed: ScriptedFeed) -> None:
    """No later event shows that it is missing: the hub compares positions now and then."""
    async with running(Hub(log, feed, check_seconds=0.02)) as hub:
        client = Client(hub)
        await client.begin()
        await lose(log, 1)
        await client.until(log)
        assert client.bodies == [body(1)]
        log.away = True
        await asyncio.sleep(0.05)
        log.away = False
        await lose(log, 2)
        await client.until(log)


async def test_duplicates_are_dropped(hub: Hub, log: ScriptedLog, feed: ScriptedFeed) -> None:
    """A feed may say things twice; a subscriber hears them once."""
    client = Client(hub)
    reading = await client.begin()
    await append(log, 1, 2)
    feed.publish(Published(TOPIC, Position(reading.position.epoch, 1), body(1)))
    await append(log, 3)
    await turn()
    assert client.bodies == [body(1), body(2), body(3)]


async def test_a_new_epoch_sends_everybody_to_the_beginning(hub: Hub, log: ScriptedLog) -> None:
    """Offsets of another epoch say nothing: each subscriber is told once, and begins again."""
    clients = [Client(hub), Client(hub)]
    for client in clients:
        await client.begin()
    await append(log, 1)
    await turn()
    log.empty(TOPIC)
    await append(log, "new 1")
    await turn()
    assert [client.resets for client in clients] == [1, 1]
    for client in clients:
        await client.begin()
    await append(log, "new 2")
    await turn()
    assert [client.bodies for client in clients] == [[body(1), body("new 2")]] * 2


async def test_a_reader_that_finds_a_new_epoch_resets_the_others(hub: Hub, log: ScriptedLog) -> None:
    """The first who reads the new log brings its epoch; those who live in the old one are told, and it is not."""
    old, new = Client(hub), Client(hub)
    await old.begin()
    await append(log, 1)
    await turn()
    log.empty(TOPIC)
    await new.begin()
    assert (old.resets, new.resets) == (1, 0)
    await append(log, 2)
    await turn()
    assert (old.bodies, new.bodies) == ([body(1)], [body(2)])


@pytest.mark.parametrize("others", [True, False])
async def test_events_of_an_old_epoch_never_pass_for_new_ones(
    hub: Hub, log: ScriptedLog, feed: ScriptedFeed, others: bool
) -> None:
    """What was buffered before the log began anew is not delivered under the new epoch's offsets."""
    if others:
        await Client(hub).begin()
    client = Client(hub)
    feed.confirming.clear()
    beginning = asyncio.create_task(client.begin())
    await turn()
    await append(log, "old 1", "old 2", "old 3")
    await turn()
    log.empty(TOPIC)
    await lose(log, "new 1", "new 2")
    feed.confirming.set()
    await beginning
    await append(log, "new 3")
    await turn()
    assert client.bodies == [body("new 3")]


async def test_a_reading_from_before_the_new_epoch_changes_nothing(hub: Hub, log: ScriptedLog) -> None:
    """A slow answer out of the old epoch neither sends those away who live in the new one, nor goes live."""
    await append(log, "old")
    log.answering.clear()
    late = Client(hub)
    beginning = asyncio.create_task(late.begin())
    await turn()
    log.empty(TOPIC)
    writing = asyncio.create_task(append(log, "new 1"))
    await turn()
    log.answering.set()
    await asyncio.gather(beginning, writing)
    await append(log, "new 2")
    await turn()
    assert late.bodies == [body("new 2")]


async def test_a_log_that_is_trimmed_past_the_hub_means_a_snapshot() -> None:
    """When even the hub has missed too much, its subscribers begin again."""
    log = ScriptedLog(Retention(max_entries=2))
    async with running(Hub(log, ScriptedFeed(log), check_seconds=1000)) as hub:
        client = Client(hub)
        await client.begin()
        await lose(log, 1, 2, 3)
        await append(log, 4)
        await turn()
        assert (client.resets, client.bodies) == (1, [])
        await client.begin()
        await append(log, 5)
        await turn()
        assert client.bodies == [body(5)]


async def test_a_log_that_went_back_means_a_snapshot(hub: Hub, log: ScriptedLog, feed: ScriptedFeed) -> None:
    """An engine that lost its last writes has the same epoch and a smaller offset; the hub notices on reconnection."""
    client = Client(hub)
    await client.begin()
    await append(log, 1, 2, 3)
    await turn()
    log.go_back(TOPIC, 1)
    feed.cut()
    await turn()
    assert client.resets == 1


async def test_nothing_stays_attached_when_the_log_is_away(hub: Hub, log: ScriptedLog) -> None:
    """A subscription that fails leaves nothing behind, and the next one works."""
    client = Client(hub)
    log.away = True
    with pytest.raises(Unavailable):
        await client.begin()
    log.away = False
    await client.begin()
    await append(log, 1)
    await turn()
    assert (client.bodies, hub.delivered) == ([body(1)], 1)


async def test_a_topic_is_followed_a_little_longer(log: ScriptedLog, feed: ScriptedFeed) -> None:
    """Who reloads comes back at once: the topic is given up only when nobody did."""
    async with running(Hub(log, feed, check_seconds=1000, linger_seconds=0.01)) as hub:
        client = Client(hub)
        await client.begin()
        client.leave()
        await client.begin()
        await asyncio.sleep(0.05)
        assert feed.followed == {TOPIC}
        client.leave()

        async def given_up() -> bool:
            return not feed.followed and hub.topics() == 0

        await wait_until(given_up, within=5)


async def test_who_comes_back_at_the_last_moment_is_not_deaf(log: ScriptedLog, feed: ScriptedFeed) -> None:
    """A subscription may begin between giving a topic up and telling the engine so."""
    async with running(Hub(log, feed, check_seconds=1000, linger_seconds=1000)) as hub:
        first, second = Client(hub), Client(hub)
        await first.begin()
        first.leave()
        hub._drop(hub._topics[TOPIC])
        await second.begin()
        await append(log, 1)
        await turn()
        assert second.bodies == [body(1)]


async def test_a_topic_that_everybody_was_sent_away_from_is_given_up(
    log: ScriptedLog, feed: ScriptedFeed
) -> None:
    """A subscriber that is reset and does not come back leaves nothing behind."""
    async with running(Hub(log, feed, check_seconds=1000, linger_seconds=0.01)) as hub:
        await Client(hub).begin()
        await append(log, 1)
        log.empty(TOPIC)
        await append(log, 1)

        async def given_up() -> bool:
            return hub.topics() == 0

        await wait_until(given_up, within=5)


async def test_a_hub_stops_while_the_log_is_away(log: ScriptedLog, feed: ScriptedFeed) -> None:
    """Mending would go on for ever; stopping ends it, and what happens afterwards does no harm."""
    async with asyncio.timeout(5):
        async with running(Hub(log, feed, check_seconds=1000, linger_seconds=0)) as hub:
            client = Client(hub)
            await client.begin()
            log.away = True
            feed.cut()
            await turn()
        client.leave()
        await asyncio.sleep(0.01)
