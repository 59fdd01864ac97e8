"""A primary that was replaced and does not know it: nobody writes or listens there any more."""

import asyncio
from pathlib import Path

from redis.exceptions import RedisError, ResponseError

from realtime.log.redis import RedisLog
from realtime.log.redis_feed import RedisFeed
from realtime.redis import Client, command_client, subscription_client
from tests.support.feed_listener import hearing
from tests.support.valkey_fleet import SERVICE, Server, watched
from tests.support.waiting import wait_until

TOPIC = "cnv_1"


async def _is_at(client: Client, server: Server) -> bool:
    try:
        return (await client.info("server"))["tcp_port"] == server.port
    except (RedisError, OSError, TimeoutError):
        return False


async def _is_told(sentinel: Server) -> bool:
    """Have the primary replaced; only a sentinel that knows the replica well enough does so."""
    try:
        return bool(await sentinel.ask("SENTINEL", "FAILOVER", SERVICE))
    except ResponseError:
        return False


async def test_all_leave_for_the_new_one(tmp_path: Path) -> None:
    """The sentinels' word is enough: also on connections that work, idle or in use, and for who only listens."""
    async with (
        watched(tmp_path) as fleet,
        command_client(fleet.url) as commands,
        subscription_client(fleet.url) as subscriptions,
        hearing(RedisLog(commands), RedisFeed(subscriptions)) as one,
    ):
        await one.feed.follow(TOPIC)
        await asyncio.gather(*(commands.ping() for _ in range(10)))
        await wait_until(lambda: one.is_live(TOPIC))
        waiting = asyncio.create_task(commands.blpop(["queue:nothing"], timeout=4))
        # It cannot be told that it is none any more.
        await fleet.primary.ask("ACL", "SETUSER", "default", "-replicaof", "-slaveof")
        await wait_until(lambda: _is_told(fleet.sentinel))
        await wait_until(lambda: _is_at(commands, fleet.replica))
        await wait_until(lambda: one.is_live(TOPIC))
        assert "role:master" in str(await fleet.primary.ask("INFO", "replication"))
        assert await fleet.primary.ask("PUBSUB", "CHANNELS", "log:*") == []
        for _ in range(20):
            assert await _is_at(commands, fleet.replica)
        await asyncio.gather(waiting, return_exceptions=True)
