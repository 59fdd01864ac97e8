"""A cluster is resharded under listeners: what moves is heard from its new server, what stays is not disturbed."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from redis.asyncio.cluster import RedisCluster

from realtime.errors import Unavailable
from realtime.log import redis_feed
from realtime.log.cluster_feed import ClusterFeed
from realtime.log.contract import Notice, Published, Record
from realtime.log.redis import RedisLog, channel
from realtime.redis import command_client, subscription_client
from tests.support.feed_listener import FeedListener, hearing
from tests.support.valkey_fleet import Cluster, cluster
from tests.support.waiting import wait_until


@asynccontextmanager
async def listening(url: str) -> AsyncGenerator[FeedListener]:
    """As the wiring assembles it."""
    async with command_client(url) as commands, subscription_client(url) as subscriptions:
        feed = ClusterFeed(cast("RedisCluster", subscriptions))
        async with hearing(RedisLog(commands), feed) as one:
            yield one


async def _at_the_first(fleet: Cluster, number: int) -> list[str]:
    """Topics that live on the first server, each on a slot of its own."""
    found: dict[int, str] = {}
    for n in range(1000):
        slot = await _slot(fleet, f"cnv_{n}")
        if slot < 16_384 // 3 and len(found) < number:
            found.setdefault(slot, f"cnv_{n}")
    return list(found.values())


async def _slot(fleet: Cluster, topic: str) -> int:
    return await fleet.primaries[0].ask("CLUSTER", "KEYSLOT", channel(topic))


async def _move(fleet: Cluster, topic: str) -> None:
    """Bring its slot to the second server, as the tools of a cluster do."""
    source, target, _ = fleet.primaries
    slot = await _slot(fleet, topic)
    names: list[Any] = [await one.ask("CLUSTER", "MYID") for one in (source, target)]
    await target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", names[0])
    await source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", names[1])
    while keys := await source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
        await source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
    for one in (target, source, *fleet.primaries[2:]):
        await one.ask("CLUSTER", "SETSLOT", slot, "NODE", names[1])


@pytest.mark.timeout(90)
@pytest.mark.parametrize("newcomer", [False, True], ids=["nobody comes", "somebody comes"])
async def test_listeners_follow_a_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, newcomer: bool
) -> None:
    """Both the topic that moved and its neighbour are live again, and their servers are asked for nothing foreign.

    Also where somebody asks for the topic, at its new server, before those are told who have it from the old one.
    """
    async with cluster(tmp_path) as fleet, listening(fleet.url) as one:
        moving, staying = await _at_the_first(fleet, 2)
        for topic in (moving, staying):
            await one.feed.follow(topic)
            await wait_until(lambda topic=topic: one.is_live(topic))
        if newcomer:
            go_on = one.feed._follow_what_moved

            async def somebody_is_first() -> None:
                await one.feed.follow(moving)
                await go_on()

            monkeypatch.setattr(one.feed, "_follow_what_moved", somebody_is_first)
        await _move(fleet, moving)
        for topic in (moving, staying):
            await wait_until(lambda topic=topic: one.is_live(topic))
        wanted = sorted(list(feed._wanted) for feed, _, _ in one.feed._shards.values())
        assert wanted == sorted([[channel(moving)], [channel(staying)]])


async def test_a_bug_makes_nobody_deaf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one server's feed stumbles over ends that feed alone, and another takes its place."""
    async with cluster(tmp_path) as fleet, listening(fleet.url) as one:
        await one.feed.follow("cnv_1")
        await wait_until(lambda: one.is_live("cnv_1"))
        good, stumbled = redis_feed._heard, list[bytes]()

        def heard(name: bytes, data: bytes) -> Published | Notice:
            if not stumbled:
                stumbled.append(data)
                raise ZeroDivisionError
            return good(name, data)

        monkeypatch.setattr(redis_feed, "_heard", heard)
        await wait_until(lambda: one.is_live("cnv_1"))
        assert stumbled


async def test_a_slot_that_nobody_has_is_away(tmp_path: Path) -> None:
    """In the midst of a change of hands the map may lack it: that is no bug, and ends nobody."""
    async with cluster(tmp_path) as fleet, listening(fleet.url) as one:
        await one.log.append("cnv_1", [Record(b"{}")])
        commands: Any = one.log
        commands._client.nodes_manager.slots_cache = {}
        with pytest.raises(Unavailable):
            await one.log.append("cnv_1", [Record(b"{}")])
