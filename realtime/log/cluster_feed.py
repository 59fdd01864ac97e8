"""Live entries from a cluster: sharded pub/sub, a connection to each server that has some of the topics.

Topics move when slots do, and when a replica is promoted. Who has them is asked again as soon as a server is lost or
refuses a topic, and now and then.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

import structlog
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from realtime.errors import Unavailable
from realtime.log.contract import Notice, Published
from realtime.log.redis import channel
from realtime.log.redis_feed import RedisFeed
from realtime.redis import telling, translated_errors

_log = structlog.get_logger(__name__)

_LOOK_SECONDS = 15.0
_PAUSE_SECONDS = 0.3
_MOST_WAITING = 10_000
_HOW = ("username", "password", "ssl", "socket_connect_timeout")

Heard = Published | Notice | None


class ClusterFeed:
    """`realtime.log.contract.Feed` on a cluster."""

    def __init__(self, cluster: RedisCluster) -> None:
        self._cluster: Any = cluster
        self._shards: dict[str, tuple[RedisFeed, Redis, asyncio.Task[None]]] = {}
        self._followed: dict[str, str] = {}
        """Topic to the name of the server that it is followed at."""
        self._unsure: set[str] = set()
        """Topics that have moved, and of which the new server has not confirmed yet that it is listened to."""
        self._heard: asyncio.Queue[Heard] = asyncio.Queue(_MOST_WAITING)
        self._moved = asyncio.Event()
        self._abandoned: list[Redis] = []
        """Clients to be closed."""

    async def follow(self, topic: str) -> None:
        """See the port."""
        async with translated_errors():
            await self._cluster.initialize()  # which it does once
            moved = self._followed.get(topic, owner := self._owner(topic)) != owner
        await self._follow_where_it_is(topic)
        if moved:  # for those who have followed it at another server
            await self._heard.put(None)

    async def unfollow(self, topic: str) -> None:
        """See the port."""
        self._unsure.discard(topic)
        name = self._followed.pop(topic, None)
        if name is not None and name in self._shards:
            await self._shards[name][0].unfollow(topic)

    async def events(self) -> AsyncIterator[Heard]:
        """See the port. One reader at a time."""
        looking = asyncio.create_task(self._look_again())
        try:
            # Those who follow something from now on have what they follow confirmed by its own server.
            yield None
            while True:
                yield await self._heard.get()
        finally:
            looking.cancel()
            for name in list(self._shards):
                await self._drop(name)
            await asyncio.gather(
                looking, *(client.aclose() for client in self._abandoned), return_exceptions=True
            )

    def _shard(self, topic: str) -> RedisFeed:
        node = self._cluster.get_node_from_key(channel(topic))
        self._followed[topic] = node.name
        if node.name not in self._shards:
            given = self._cluster.connection_kwargs
            how = {name: given[name] for name in _HOW if given.get(name) is not None}
            how |= {"socket_timeout": None, "retry": Retry(NoBackoff(), 0)}
            client = Redis(host=node.host, port=node.port, **how)
            client.connection_pool.connection_class = telling(client.connection_pool.connection_class)
            feed = RedisFeed(client, sharded=True, lost=self._moved.set)
            pumping = asyncio.create_task(self._pump(feed))
            pumping.add_done_callback(lambda task: self._pumped(node.name, task))
            self._shards[node.name] = (feed, client, pumping)
        return self._shards[node.name][0]

    def _pumped(self, name: str, task: asyncio.Task[None]) -> None:
        """A bug must not make us deaf to a server: all that was followed there is followed anew."""
        bug = None if task.cancelled() else task.exception()
        if bug is None or name not in self._shards:
            return
        _log.error("a bug ended the feed of a server", exc_info=bug)
        self._unsure.update(topic for topic, where in self._followed.items() if where == name)
        self._abandoned.append(self._shards.pop(name)[1])
        self._moved.set()

    async def _pump(self, feed: RedisFeed) -> None:
        begun = False
        async for heard in feed.events():
            # That a server is connected for the first time is no news: who follows a topic there waits for it.
            if heard is not None or begun:
                await self._heard.put(heard)
            begun = True

    async def _look_again(self) -> None:
        """Find out who has which topic now, and follow what has moved where it is."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._moved.wait()
            self._moved.clear()
            try:
                await self._cluster.nodes_manager.initialize()
                await self._follow_what_moved()
            except (RedisError, RedisClusterException, OSError, TimeoutError, Unavailable) as error:
                _log.warning("the cluster does not say who has what", error=type(error).__name__)
                self._moved.set()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow_what_moved(self) -> None:
        moved = [topic for topic, name in self._followed.items() if self._owner(topic) != name]
        moved += self._unsure.difference(moved)
        if not moved:
            return
        _log.info("topics moved", topics=len(moved))
        self._unsure.update(moved)
        while self._abandoned:
            await self._abandoned.pop().aclose()
        # Side by side: a server that does not answer keeps nobody waiting but its own.
        outcomes = await asyncio.gather(*map(self._follow_again, moved), return_exceptions=True)
        for name in set(self._shards) - set(self._followed.values()):
            await self._drop(name)
        await self._heard.put(None)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _follow_again(self, topic: str) -> None:
        if topic in self._followed:  # otherwise nobody follows it any more
            await self._follow_where_it_is(topic)
        self._unsure.discard(topic)

    async def _follow_where_it_is(self, topic: str) -> None:
        """Follow it at its server, and at no other: one that does not serve it would refuse all that it is asked."""
        before = self._followed.get(topic)
        shard = self._shard(topic)
        if before is not None and before != self._followed[topic] and before in self._shards:
            await self._shards[before][0].unfollow(topic)
        await shard.follow(topic)

    def _owner(self, topic: str) -> str:
        return cast("str", self._cluster.get_node_from_key(channel(topic)).name)

    async def _drop(self, name: str) -> None:
        _, client, pumping = self._shards.pop(name)
        pumping.cancel()
        await asyncio.gather(pumping, return_exceptions=True)
        await client.aclose()
