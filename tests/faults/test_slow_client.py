"""One client that reads 1 KB a second: it hurts nobody, costs little, and has every character in the end."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from server.embedded.engines import EngineURLs
from tests.support.chaos import sized
from tests.support.client import Chat, Http, Reader, chat, http
from tests.support.crowd import crowd, percentile
from tests.support.house import Process, new_house
from tests.support.listener import Listener
from tests.support.talking_model import TalkingModel, spoken
from tests.support.waiting import wait_until

OTHERS = sized(40, 500)
TOKENS, WORDS, PER_SECOND = sized((120, 500, 30), (600, 500, 10))
SLOW_BYTES_PER_SECOND = 1024
SMALL_BUFFER, LARGE_BUFFER = 4096, 1024 * 1024
MOST_GROWTH = 48 * 1024 * 1024
"""Of the web process, in bytes: generous, and for all that happens in it meanwhile."""


@pytest.mark.timeout(sized(60, 400))
async def test_a_slow_client_hurts_nobody(engines: EngineURLs, model: TalkingModel, tmp_path: Path) -> None:
    """The same reply twice, without it and with it; it may get merged frames, snapshots, or be sent away."""
    house = new_house(tmp_path, engines, model)
    async with house.web() as web, house.worker(), http(web.url) as ada:
        conversation = await ada.conversation()
        path = f"/v1/conversations/{conversation}/messages"
        text = {"text": f"say {TOKENS} tokens of {WORDS} words at {PER_SECOND}/s"}
        async with crowd(web.url, ada.token, conversation, house.redis_url, OTHERS) as others:
            reading = asyncio.create_task(others.read_to_the_end())
            await ada.post(path, text, status=202)
            without = await reading
            slow = Slow(web.url, ada.token, conversation)
            dawdling = asyncio.create_task(slow.until_ended())
            await slow.there.wait()
            memory = Memory(web)
            reading = asyncio.create_task(others.read_to_the_end())
            slow.reply = (await ada.post(path, text, status=202))["reply"]
            watching = asyncio.create_task(memory.watch())
            beside = await reading
            watching.cancel()
            slow.hurry_up()
            await dawdling
            whole = spoken(TOKENS, WORDS)
            assert others.texts(slow.reply) == {whole}
            assert slow.reader.texts[slow.reply] == whole
    print(
        f"\n{OTHERS} others, p99 of delivery: {percentile(without, 0.99):.1f} ms without, "
        f"{percentile(beside, 0.99):.1f} ms beside the slow one; the process grew by {memory.growth / 2**20:.1f} MiB; "
        f"the slow one had {slow.told()}"
    )
    assert memory.growth < MOST_GROWTH


@pytest.mark.timeout(sized(60, 200))
async def test_a_slow_listener_ends_exact(engines: EngineURLs, model: TalkingModel, tmp_path: Path) -> None:
    """The same over server-sent events: it gets less and less, or is cut off, and in the end has every character."""
    house = new_house(tmp_path, engines, model)
    async with house.web() as web, house.worker(), http(web.url) as ada:
        conversation = await ada.conversation()
        slow = SlowListener(web.url, ada.token, conversation)
        listening = asyncio.create_task(slow.until_ended())
        await slow.there.wait()
        memory = Memory(web)
        watching = asyncio.create_task(memory.watch())
        path = f"/v1/conversations/{conversation}/messages"
        text = {"text": f"say {TOKENS} tokens of {WORDS} words at {PER_SECOND}/s"}
        slow.reply = (await ada.post(path, text, status=202))["reply"]
        await wait_until(lambda: _has_ended(ada, slow.reply), within=150)
        slow.hurry.set()
        await listening
        watching.cancel()
    told = ", ".join(f"{number} {kind}" for kind, number in sorted(slow.seen.items()))
    print(f"\n{told}; the process grew by {memory.growth / 2**20:.1f} MiB")
    assert slow.reader.texts[slow.reply] == spoken(TOKENS, WORDS)
    assert slow.seen["merged events"] or slow.seen["snapshots"] > 1
    assert memory.growth < MOST_GROWTH


async def _has_ended(ada: Http, reply: str) -> bool:
    return (await ada.get(f"/v1/replies/{reply}"))["status"] == "completed"


class SlowListener:
    """Reads an event stream at 1 KB a second until it is told to hurry, and comes back when it is cut off."""

    def __init__(self, url: str, token: str, conversation: str) -> None:
        self._address = urlsplit(url)
        self._head = (
            f"GET /v1/conversations/{conversation}/events HTTP/1.0\r\nAuthorization: Bearer {token}\r\n"
        )
        self._last_id = ""
        self.reader = Reader()
        self.reply = ""
        self.there = asyncio.Event()
        self.hurry = asyncio.Event()
        self.seen: Counter[str] = Counter()

    async def until_ended(self) -> None:
        """Come back until its reply has ended."""
        while not self.reader.has_ended(self.reply):
            self.seen["visits"] += 1
            async with aclosing(self._lines()) as lines:
                listener = Listener(lines, self.reader)
                with suppress(StopAsyncIteration, ConnectionResetError):
                    while not self.reader.has_ended(self.reply):
                        await self._read(listener)

    async def _read(self, listener: Listener) -> None:
        event = await listener.read(timeout=150)
        self._last_id = listener.last_id or self._last_id
        merged = "from" in event and event["from"] != event["offset"]
        kind = "snapshots" if event["type"] == "subscribed" else "merged events" if merged else "events"
        self.seen[kind] += 1
        self.there.set()

    async def _lines(self) -> AsyncGenerator[str]:
        loop = asyncio.get_running_loop()
        place = f"Last-Event-ID: {self._last_id}\r\n" if self._last_id else ""
        with closing(socket.socket()) as end:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            end.setblocking(False)
            await loop.sock_connect(end, (self._address.hostname, self._address.port))
            await loop.sock_sendall(end, f"{self._head}{place}\r\n".encode())
            in_head, rest = True, b""
            while chunk := await loop.sock_recv(end, SLOW_BYTES_PER_SECOND):
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    if not in_head:
                        yield line.decode()
                    in_head = in_head and line != b"\r"
                with suppress(TimeoutError):
                    async with asyncio.timeout(len(chunk) / SLOW_BYTES_PER_SECOND):
                        await self.hurry.wait()


class Slow:
    """Reads 1 KB a second until it is told to hurry, and comes back when it is sent away."""

    def __init__(self, url: str, token: str, conversation: str) -> None:
        self._url = url
        self._token = token
        self._conversation = conversation
        self.reader = Reader()
        self.reply = ""
        self.there = asyncio.Event()
        self._hurry = asyncio.Event()
        self._end: socket.socket | None = None
        self._seen: Counter[str] = Counter()

    async def until_ended(self) -> None:
        """Come back until its reply has ended."""
        while not self.reader.has_ended(self.reply):
            try:
                await self._visit()
            except ConnectionClosed as closed:
                self._seen[f"goodbyes with {closed.rcvd.code if closed.rcvd else 1006}"] += 1

    async def _visit(self) -> None:
        address = urlsplit(self._url)
        self._end = end = socket.socket()
        # Before it connects: the window that it offers follows from it.
        size = LARGE_BUFFER if self._hurry.is_set() else SMALL_BUFFER
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        end.connect((address.hostname, address.port))
        end.setblocking(False)
        how = {"sock": end, "ping_interval": None, "max_queue": 1, "close_timeout": 0.5}
        async with chat(self._url, self._token, self.reader, **how) as device:
            after = self.reader.after if self.reader.epoch else None
            await device.subscribe(self._conversation, after=after)
            self.there.set()
            while not self.reader.has_ended(self.reply):
                await self._read(device)

    async def _read(self, device: Chat) -> None:
        frame = await device.read()
        merged = "from" in frame and frame["from"] != frame["offset"]
        kind = "snapshots" if frame["type"] == "subscribed" else "merged frames" if merged else "frames"
        self._seen[kind] += 1
        try:
            async with asyncio.timeout(len(json.dumps(frame)) / SLOW_BYTES_PER_SECOND):
                await self._hurry.wait()
        except TimeoutError:
            pass  # it has had the time that it takes

    def hurry_up(self) -> None:
        """Read as fast as it can from here on."""
        self._hurry.set()
        assert self._end is not None
        self._end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LARGE_BUFFER)

    def told(self) -> str:
        """What it was given."""
        return ", ".join(f"{number} {kind}" for kind, number in sorted(self._seen.items()))


class Memory:
    """How much a process grows beyond what it has at first, in bytes."""

    def __init__(self, process: Process) -> None:
        self._process = psutil.Process(process.pid)
        self._before = self._process.memory_info().rss
        self.growth = 0

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            self.growth = max(self.growth, self._process.memory_info().rss - self._before)
            await asyncio.sleep(0.1)
