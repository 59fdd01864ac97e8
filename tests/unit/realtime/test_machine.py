"""A client, a hub and a log in any order of events: no hole, nothing twice, nothing wrong, and bounded memory.

What a browser would keep is compared, frame by frame, with what the log was given; at the end of every run the client
must be where the log is.
"""

import asyncio
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from realtime.log.contract import Position, Record
from tests.support.lobby import Lobby, open_lobby
from tests.support.scripted_socket import ScriptedSocket
from tests.support.subscriber import TOPIC, turn
from tests.support.waiting import wait_until

MOST_BYTES = 256 * 1024


class Browser:
    """What a client keeps of one topic, whatever connection it comes over."""

    def __init__(self, written: dict[tuple[str, int], str]) -> None:
        self._written = written
        self.epoch = ""
        self.offset = 0
        self.following = False

    def take(self, frame: dict[str, Any]) -> None:
        """Check a frame, and go on from it."""
        if frame["type"] == "subscribed":
            self.following = True
            if frame["recovered"]:
                assert frame["epoch"] == self.epoch
                assert frame["offset"] >= self.offset
            else:
                self.epoch, self.offset = frame["epoch"], frame["offset"]
        elif "offset" in frame:
            assert self.following
            first = frame.get("from", frame["offset"])
            assert first == self.offset + 1, f"{self.offset} then {first}"
            covered = range(first, frame["offset"] + 1)
            assert frame["text"] == "".join(self._written[self.epoch, place] for place in covered)
            self.offset = frame["offset"]


class Machine(RuleBasedStateMachine):
    """One client that is cut, slow, impatient; an engine that loses publications, connections and everything."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._opening = open_lobby()
        self._lobby: Lobby = self._runner.run(self._opening.__aenter__())
        self._written: dict[tuple[str, int], str] = {}
        self._browser = Browser(self._written)
        self._frame_ids = 0
        self._socket = self._connect()
        self._taken = 0
        self._come()

    @rule(text=st.text("abc", max_size=5), reply=st.sampled_from(["r", "s"]), times=st.integers(1, 4))
    def append(self, text: str, reply: str, times: int) -> None:
        """Somebody writes."""
        self._append([text] * times, reply)

    @rule(reply=st.sampled_from(["r", "s"]))
    def append_much(self, reply: str) -> None:
        """So much that an outbox does not hold it."""
        self._append(["x" * 100_000] * 3, reply)

    @rule(text=st.text("abc", max_size=5))
    def lose(self, text: str) -> None:
        """Somebody writes, and nobody is told."""
        self._lobby.log.silent = True
        self._append([text], "r")
        self._lobby.log.silent = False

    @rule()
    def cut_the_feed(self) -> None:
        """The instance loses its connection to the engine, and has another."""
        self._lobby.feed.cut()
        self._turn()

    @rule()
    def empty(self) -> None:
        """The engine loses the log."""
        self._lobby.log.empty(TOPIC)

    @rule()
    def stop_reading(self) -> None:
        """The client's line is full."""
        self._socket.reading.clear()

    @rule()
    def read_again(self) -> None:
        """It is free."""
        self._socket.reading.set()
        self._turn()

    @rule()
    def drop_and_return(self) -> None:
        """The connection is lost, with all that had not arrived; another begins where the client is."""
        self._socket.leave()
        self._turn()
        self._socket = self._connect()
        self._taken = 0
        self._browser.following = False
        self._come()

    @rule()
    def subscribe_again(self) -> None:
        """On the same socket, from where the client is; what still waits there belongs to the old subscription."""
        if self._socket.reading.is_set():
            self._follow()
            self._turn()

    @rule()
    def unsubscribe(self) -> None:
        """And follow it again: in between nothing comes."""
        if self._socket.reading.is_set():
            self._say(f"unsubscribe {self._next_id()} {TOPIC}")
            self._turn()
            self._append(["unheard"], "r")
            self._follow()
            self._turn()

    @invariant()
    def memory_is_bounded(self) -> None:
        """However slow the client."""
        assert self._lobby.connections[-1]._outbox.waiting_bytes <= MOST_BYTES

    def teardown(self) -> None:
        """When all is well again, the client gets to where the log is."""
        self._socket.reading.set()
        self._append(["the end"], "r")
        self._lobby.feed.cut()
        self._runner.run(wait_until(self._is_there))
        self._runner.run(self._opening.__aexit__(None, None, None))
        self._runner.close()

    async def _is_there(self) -> bool:
        await turn()
        self._take()
        [top] = await self._lobby.log.offsets([TOPIC])
        return top == Position(self._browser.epoch, self._browser.offset)

    def _append(self, texts: list[str], reply: str) -> None:
        bodies = [
            b'{"type":"delta","reply":"%s","text":"%s"}' % (reply.encode(), text.encode()) for text in texts
        ]

        async def append() -> None:
            outcomes = await self._lobby.log.append(TOPIC, [Record(body) for body in bodies])
            for text, outcome in zip(texts, outcomes, strict=True):
                assert isinstance(outcome, Position)
                self._written[outcome.epoch, outcome.offset] = text
            await turn()

        self._runner.run(append())
        self._take()

    def _connect(self) -> ScriptedSocket:
        async def connect() -> ScriptedSocket:
            return self._lobby.connect()

        return self._runner.run(connect())

    def _come(self) -> None:
        self._say(f"hello {self._next_id()}")
        self._follow()
        self._turn()

    def _follow(self) -> None:
        place = f" {self._browser.epoch} {self._browser.offset}" if self._browser.epoch else ""
        self._say(f"subscribe {self._next_id()} {TOPIC}{place}")

    def _say(self, raw: str) -> None:
        self._socket.say(raw)

    def _next_id(self) -> int:
        self._frame_ids += 1
        return self._frame_ids

    def _turn(self) -> None:
        self._runner.run(turn())
        self._take()

    def _take(self) -> None:
        for frame in self._socket.written[self._taken :]:
            self._browser.take(frame)
        self._taken = len(self._socket.written)


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestMachine = Machine.TestCase
