"""The hub: one subscription per topic, whatever is lost on the way."""

import asyncio

import pytest

from realtime import hub as hub_module
from realtime.errors import Overloaded, Unavailable
from realtime.frames import Event
from realtime.hub import Hub
from realtime.log.contract import Position, Published
from tests.support.scripted_log import ScriptedFeed, ScriptedLog
from tests.support.subscriber import TOPIC, Client, append, body, lose, running, turn
from tests.support.waiting import wait_until


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

        await wait_until(given_up)


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

        await wait_until(given_up)


async def test_a_hub_stops_while_the_log_is_away(log: ScriptedLog, feed: ScriptedFeed) -> None:
    """Mending would go on for ever; stopping ends it, and what happens afterwards does no harm."""
    async with asyncio.timeout(30):
        async with running(Hub(log, feed, check_seconds=1000, linger_seconds=0)) as hub:
            client = Client(hub)
            await client.begin()
            log.away = True
            feed.cut()
            await turn()
        client.leave()
        await asyncio.sleep(0.01)
