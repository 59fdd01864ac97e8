"""Valkey is killed while replies stream: every reader ends with the exact text, and nothing hangs."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvloop
from redis.exceptions import ConnectionError as ConnectionLost

from realtime.errors import Overloaded, Unavailable
from realtime.frames import Event
from realtime.hub import Hub
from realtime.log import redis_feed
from realtime.log.contract import Log, Position, Record
from realtime.log.redis import RedisLog
from realtime.log.redis_feed import RedisFeed
from realtime.log.writer import DraftWriter, Publisher
from realtime.queue.redis import RedisQueue
from realtime.redis import command_client, subscription_client
from realtime.signals import redis as redis_signals
from realtime.signals.redis import RedisSignals
from server.embedded.engines import EngineURLs
from tests.support.deaf_proxy import deaf_proxy
from tests.support.feed_listener import hearing
from tests.support.private_valkey import private_valkey
from tests.support.waiting import wait_until

TOPIC, DRAFT = "cnv_1", "msg_1"


def delta(at: int, text: str) -> bytes:
    """More text."""
    return json.dumps({"type": "delta", "at": at, "text": text}).encode()


class Reader:
    """A client as the protocol describes one; what the log does not hold any more, it finds stored."""

    def __init__(self, hub: Hub, stored: list[str], group: asyncio.TaskGroup) -> None:
        self._hub = hub
        self._stored = stored
        self._group = group
        self._place = Position("", 0)
        self.text = ""
        self.snapshots = 0
        self.ended = asyncio.Event()

    async def begin(self) -> None:
        """Subscribe, from a snapshot, until it works out."""
        while True:
            try:
                subscription, reading = await self._hub.subscribe(TOPIC, self, None)
            except Unavailable:
                await asyncio.sleep(0.05)
                continue
            self.snapshots += 1
            self._place = reading.position
            self.text = reading.drafts[0].text if reading.drafts else "".join(self._stored)
            if self._stored:
                self.ended.set()
            try:
                subscription.go_live(reading.position)
            except Overloaded:
                self._hub.unsubscribe(subscription)
            else:
                return

    def deliver(self, event: Event) -> None:
        """See `Subscriber`."""
        assert event.offset == self._place.offset + 1, "a hole"
        self._place = Position(self._place.epoch, event.offset)
        said = json.loads(event.body)
        if said["type"] == "delta":
            assert len(self.text) >= said["at"], "a hole in the text"
            self.text = self.text[: said["at"]] + said["text"]
        elif said["type"] == "ended":
            self.ended.set()

    def reset(self, topic: str) -> None:
        """See `Subscriber`."""
        self._group.create_task(self.begin())

    def recheck(self, topic: str) -> None:
        """See `Subscriber`: everybody may follow here."""


class Stream:
    """A reply that is being written, and those who read it, on connections of their own."""

    def __init__(self, publisher: Publisher, hub: Hub, group: asyncio.TaskGroup) -> None:
        self.writer: DraftWriter = publisher.writer(TOPIC, DRAFT, 1)
        self.written: list[str] = []
        self._stored: list[str] = []
        self.readers = [Reader(hub, self._stored, group) for _ in range(3)]

    async def write(self, words: int) -> None:
        """Write words, at the pace of a quick model."""
        for _ in range(words):
            word = f"palabra-ñ{len(self.written)} "
            self.writer.write(word, delta)
            self.written.append(word)
            await asyncio.sleep(0.001)

    async def end(self) -> None:
        """Store the text, and tell its end."""
        self._stored.extend(self.written)
        self.writer.close(b'{"type":"ended"}')
        async with asyncio.timeout(20):
            await self.writer.flush()
            for reader in self.readers:
                await reader.ended.wait()

    async def read(self) -> None:
        """Wait until all readers have all that was written."""

        async def all_of_it() -> bool:
            return all(reader.text == "".join(self.written) for reader in self.readers)

        await wait_until(all_of_it)


@asynccontextmanager
async def streaming(url: str) -> AsyncGenerator[Stream]:
    """A worker and an instance, as the wiring assembles them."""
    async with (
        command_client(url) as worker,
        command_client(url) as web,
        subscription_client(url) as subscriptions,
        asyncio.TaskGroup() as group,
    ):
        publisher = Publisher(RedisLog(worker))
        hub = Hub(RedisLog(web), RedisFeed(subscriptions), check_seconds=0.3)
        tasks = [*hub.start(group), group.create_task(publisher.run())]
        stream = Stream(publisher, hub, group)
        stream.writer.open(b'{"type":"started"}', b"{}")
        await stream.writer.flush()
        for reader in stream.readers:
            await reader.begin()
        yield stream
        for task in tasks:
            task.cancel()


@pytest.mark.parametrize("emptied", [False, True], ids=["kept", "emptied"])
@pytest.mark.parametrize("silent", [False, True], ids=["while it writes", "while it thinks"])
async def test_a_killed_valkey_costs_no_letter(tmp_path: Path, emptied: bool, silent: bool) -> None:
    """Killed twice in the middle of a reply, with its file or without: resumed or begun anew, the text is exact."""
    async with private_valkey(tmp_path) as engine, streaming(engine.url) as stream:
        await stream.write(30)
        await stream.read()
        for _ in range(2):
            await engine.kill()
            if not silent:
                await stream.write(30)
            if emptied:
                engine.empty()
            await engine.start()
            await stream.write(30)
            await stream.read()
        await stream.end()
        text = "".join(stream.written)
        assert [reader.text for reader in stream.readers] == [text] * 3
        if emptied:
            assert all(reader.snapshots > 1 for reader in stream.readers)


async def test_an_end_while_the_log_is_away_is_told_when_it_is_back(tmp_path: Path) -> None:
    """Text and end gather while nothing answers, and arrive together."""
    async with private_valkey(tmp_path) as engine, streaming(engine.url) as stream:
        await stream.write(10)
        await stream.read()
        await engine.kill()
        await stream.write(10)
        ending = asyncio.create_task(stream.end())
        engine.empty()
        await engine.start()
        await ending
        assert [reader.text for reader in stream.readers] == ["".join(stream.written)] * 3


async def test_who_cannot_follow_takes_nobody_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing answers somebody comes in vain: those who were there before are live again afterwards."""
    monkeypatch.setattr(redis_feed, "_FOLLOW_SECONDS", 0.2)
    async with (
        private_valkey(tmp_path) as engine,
        command_client(engine.url) as commands,
        subscription_client(engine.url) as subscriptions,
        hearing(RedisLog(commands), RedisFeed(subscriptions)) as one,
    ):
        await one.feed.follow(TOPIC)
        await engine.kill()
        await wait_until(lambda: _refuses(one.feed))
        await engine.start()
        await wait_until(lambda: one.is_live(TOPIC))


async def _refuses(feed: RedisFeed) -> bool:
    """Whether it has noticed that nobody is there."""
    try:
        await feed.follow(TOPIC)
    except Unavailable:
        return True
    return False


async def test_jobs_and_signals_survive_a_kill(tmp_path: Path) -> None:
    """A queue with its file on disk keeps what waits and what is worked on; whoever listens is told again."""
    async with (
        private_valkey(tmp_path) as engine,
        command_client(engine.url) as commands,
        subscription_client(engine.url) as subscriptions,
    ):
        queue, signals = RedisQueue(commands), RedisSignals(commands, subscriptions)
        for number in range(2):
            await queue.enqueue("lane", str(number), "ada", {"n": str(number)})
        [job] = await queue.claim("a", "lane", 1, 1)
        listening = asyncio.ensure_future(anext(aiter(signals.listen("stop"))))
        await commands.waitaof(1, 0, 5000)  # what is acknowledged is not on disk yet
        await engine.kill()
        with pytest.raises(Unavailable):
            await queue.enqueue("lane", "2", "ada", {"n": "2"})
        await engine.start()
        assert await queue.depth("lane") == (1, 1)
        await queue.finish("a", job)
        [job] = await queue.claim("a", "lane", 1, 1)
        assert job.payload == {"n": "1"}

        async def heard() -> bool:
            await signals.send("stop", "msg_1")
            return listening.done()

        await wait_until(heard)
        assert listening.result() == "msg_1"


async def test_a_listener_that_went_deaf_hears_again(
    engines: EngineURLs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection carries nothing, and nobody closes it: it is given up, and another one made."""
    monkeypatch.setattr(redis_signals, "_PING_SECONDS", 0.2)
    address = urlsplit(engines.redis or "")
    assert address.port
    async with (
        deaf_proxy(address.port) as proxy,
        command_client(engines.redis or "") as commands,
        subscription_client(f"redis://127.0.0.1:{proxy.listening}") as subscriptions,
    ):
        signals, heard = RedisSignals(commands, subscriptions), list[str]()

        async def listen() -> None:
            async for value in signals.listen("stop-here"):
                heard.append(value)

        async def is_heard(value: str) -> bool:
            await signals.send("stop-here", value)
            return value in heard

        listening = asyncio.create_task(listen())
        await wait_until(lambda: is_heard("before"))
        await asyncio.sleep(1)  # a quiet connection that answers its pings is kept
        assert proxy.accepted == 1
        proxy.deafen()
        await wait_until(lambda: is_heard("after"))
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def refuses(log: Log, queue: RedisQueue) -> None:
    """Whatever would write is `Unavailable`."""
    calls = (
        log.append(TOPIC, [Record(b"{}")]),
        queue.enqueue("lane", "0", "ada", {"n": "0"}),
        queue.claim("a", "lane", 1, 0),
    )
    for call in calls:
        with pytest.raises(Unavailable):
            await call


async def test_an_engine_that_cannot_write_now_is_away(tmp_path: Path) -> None:
    """A full one, and one that was made a replica, answer with an error of their own; it is no bug of ours."""
    async with private_valkey(tmp_path) as engine, command_client(engine.url) as commands:
        log, queue = RedisLog(commands), RedisQueue(commands)
        await log.append(TOPIC, [Record(b"{}")])
        await commands.config_set("maxmemory", 1)
        await refuses(log, queue)
        assert (await log.read("cnv_new", None)).position.offset == 0  # whoever only reads is served
        await commands.config_set("maxmemory", 0)
        await commands.replicaof("127.0.0.1", "1")
        await refuses(log, queue)
        with pytest.raises(Unavailable):
            await log.read("cnv_that_begins_here", None)
        await commands.replicaof("NO", "ONE")
        [position] = await log.append(TOPIC, [Record(b"{}")])
        assert isinstance(position, Position)
        assert position.offset == 1  # it was promoted: what it may have missed, nobody knows
        await queue.enqueue("lane", "0", "ada", {"n": "0"})


@pytest.mark.parametrize("by", ["the peer", "another task"])
def test_a_socket_that_closes_under_a_command_is_a_lost_connection(tmp_path: Path, by: str) -> None:
    """On uvloop as well, which has an error of its own for it: the command is sent again on another connection."""

    async def ask() -> bool:
        async with private_valkey(tmp_path) as engine, command_client(engine.url) as commands:
            pool: Any = commands.connection_pool
            connection = await pool.get_connection()
            if by == "the peer":
                connection._writer.transport.abort()
            else:  # which gives the server up between two steps of ours
                connection.check_health = connection.disconnect
            await pool.release(connection)
            await asyncio.sleep(0)  # the handle is closed, and redis-py has not noticed
            if by == "another task":
                with pytest.raises(ConnectionLost):
                    await connection.send_command("PING")
                del connection.check_health
            return await commands.ping()

    assert uvloop.run(ask())
