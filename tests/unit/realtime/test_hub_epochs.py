"""The hub when the log begins anew, or does not reach back: a snapshot, and never another event's place."""

import asyncio

import pytest

from realtime.hub import Hub
from realtime.log.contract import Retention
from tests.support.scripted_log import ScriptedFeed, ScriptedLog
from tests.support.subscriber import TOPIC, Client, append, body, lose, running, turn


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
