"""One client's connection: what it is told, in which order, and what becomes of one that does not read."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest

from realtime import connection as connection_module
from realtime import hub as hub_module
from realtime.connection import Connection
from realtime.hub import Hub
from realtime.log.contract import Position, Record
from realtime.session import CloseCode, Limits, Refused
from tests.support.scripted_log import ScriptedFeed, ScriptedLog
from tests.support.scripted_socket import ScriptedApplication, ScriptedSocket
from tests.support.waiting import wait_until

TOPIC = "cnv_1"
LIMITS = Limits(bad_frames=3, frames_at_once=1000)


class House:
    """A hub with a scripted log behind it, and connections to it."""

    def __init__(self, hub: Hub, log: ScriptedLog, feed: ScriptedFeed) -> None:
        self.hub = hub
        self.log = log
        self.feed = feed
        self.application = ScriptedApplication()
        self.connections: list[Connection] = []
        self._tasks: list[asyncio.Task[None]] = []

    def connect(self, limits: Limits = LIMITS) -> ScriptedSocket:
        """A client that has said nothing yet."""
        socket = ScriptedSocket()
        connection = Connection(socket, self.hub, self.application, limits)
        self.connections.append(connection)
        self._tasks.append(asyncio.create_task(connection.run()))
        return socket

    def listen(self, after: Position | None = None) -> ScriptedSocket:
        """A client that only listens."""
        socket = ScriptedSocket()
        connection = Connection(socket, self.hub, self.application, LIMITS)
        self._tasks.append(asyncio.create_task(connection.run_following("usr_1", TOPIC, after)))
        return socket

    async def subscribed(self, limits: Limits = LIMITS) -> ScriptedSocket:
        """A client that follows the topic and has read all about it."""
        socket = self.connect(limits)
        socket.say("hello 1", f"subscribe 2 {TOPIC}")
        await turn()
        assert socket.types() == ["welcome", "subscribed"]
        socket.written.clear()
        socket.frames.clear()
        return socket

    async def append(self, *texts: str) -> None:
        """Append deltas of one reply."""
        bodies = [b'{"type":"delta","reply":"r","text":"%s"}' % text.encode() for text in texts]
        await self.log.append(TOPIC, [Record(body) for body in bodies])
        await turn()

    async def ended(self) -> None:
        """Wait until all connections have ended; none may raise for what a client did."""
        async with asyncio.timeout(5):
            await asyncio.gather(*self._tasks)

    async def end(self) -> None:
        """Cancel what still runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def house() -> AsyncGenerator[House]:
    """Give a house whose hub runs."""
    async with open_house() as house:
        yield house


@asynccontextmanager
async def open_house() -> AsyncGenerator[House]:
    """Run a hub while the body runs."""
    log = ScriptedLog()
    feed = ScriptedFeed(log)
    hub = Hub(log, feed, check_seconds=1000)
    async with asyncio.TaskGroup() as group:
        tasks = hub.start(group)
        house = House(hub, log, feed)
        yield house
        await house.end()
        for task in tasks:
            task.cancel()


async def turn() -> None:
    """Let everything that can go on go on."""
    for _ in range(40):
        await asyncio.sleep(0)


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that takes a moment."""

    async def now() -> bool:
        return true()

    await wait_until(now, within=5)


# ── what a client says ───────────────────────────────────────────────────────────────────────────────────────────


async def test_hello_in_time_or_4408(house: House) -> None:
    """A socket that says nothing is not kept."""
    socket = house.connect(Limits(hello_seconds=0.01))
    await house.ended()
    assert (socket.closed, socket.written) == (CloseCode.NO_HELLO, [])


async def test_answers_carry_the_id_of_their_question(house: House) -> None:
    """Every frame is answered under its own id, in order; what the connection does not know, the application does."""
    socket = house.connect()
    socket.say("ping 0", "hello 1", "ping 2", "whatever 3", "forbid 4", f"unsubscribe 5 {TOPIC}")
    await turn()
    assert [(m["type"], m["id"]) for m in socket.written] == [
        ("error", "0"),
        ("welcome", "1"),
        ("pong", "2"),
        ("handled", "3"),
        ("error", "4"),
        ("unsubscribed", "5"),
    ]
    assert socket.written[4] == {
        "type": "error",
        "id": "4",
        "code": "forbidden",
        "detail": "No.",
        "field": "type",
    }


async def test_who_may_not_come_in_is_told_and_shown_out(house: House) -> None:
    """A refusal that closes is answered first."""
    socket = house.connect()
    socket.say("hello stranger")
    await house.ended()
    assert [m["code"] for m in socket.written] == ["unauthenticated"]
    assert socket.closed == CloseCode.UNAUTHENTICATED


async def test_bad_frames_are_answered_and_too_many_close(house: House) -> None:
    """Each gets its error; the third in a row closes with 4400, and nothing after it is heard."""
    socket = house.connect()
    socket.say("hello 1", "!", b"\x00", "!", "ping 2")
    await house.ended()
    assert socket.types() == ["welcome", "error", "error", "error"]
    assert socket.closed == CloseCode.BAD_FRAMES


async def test_a_store_that_is_away_is_said_and_the_socket_lives_on(house: House) -> None:
    """`unavailable`, when to try again, and then it works."""
    socket = house.connect()
    house.log.away = True
    socket.say("hello 1", f"subscribe 2 {TOPIC}")
    await turn()
    assert socket.written[1] | {"detail": ""} == {
        "type": "error",
        "id": "2",
        "code": "unavailable",
        "detail": "",
        "retry_after": 1.0,
    }
    house.log.away = False
    socket.say(f"subscribe 3 {TOPIC}")
    await turn()
    assert socket.types()[2:] == ["subscribed"]


# ── what a client follows ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_snapshot_or_what_was_missed_and_then_what_happens(house: House) -> None:
    """Without a position a snapshot, with one the events after it; then live events, under their offsets."""
    await house.append("a", "b")
    new, back = house.connect(), house.connect()
    new.say("hello 1", f"subscribe 2 {TOPIC}")
    await turn()
    epoch = new.written[1]["epoch"]
    back.say("hello 1", f"subscribe 2 {TOPIC} {epoch} 1")
    await turn()
    await house.append("c")
    assert new.written[1]["snapshot"] == {"as_of": 2, "padding": ""}
    assert (new.written[1]["offset"], new.written[1]["recovered"]) == (2, False)
    assert "snapshot" not in back.written[1]
    assert (back.written[1]["offset"], back.written[1]["recovered"]) == (2, True)
    assert [m["offset"] for m in new.written[2:]] == [3]
    assert [m["offset"] for m in back.written[2:]] == [2, 3]


async def test_all_clients_get_the_same_ready_frame(house: House) -> None:
    """One event is one frame, encoded once, however many sockets it is written to."""
    one, two = await house.subscribed(), await house.subscribed()
    await house.append("x")
    assert one.frames[0] is two.frames[0]


async def test_subscribing_again_is_beginning_again(house: House) -> None:
    """A second subscription replaces the first: nothing comes twice."""
    socket = await house.subscribed()
    socket.say(f"subscribe 3 {TOPIC}")
    await turn()
    await house.append("x")
    assert socket.types() == ["subscribed", "delta"]


async def test_unsubscribed_is_silent(house: House) -> None:
    """After the answer no event comes."""
    socket = await house.subscribed()
    socket.say(f"unsubscribe 3 {TOPIC}")
    await turn()
    await house.append("x")
    assert socket.types() == ["unsubscribed"]


async def test_a_new_epoch_brings_a_snapshot(house: House) -> None:
    """The client did nothing, so the answer has no id; what it gets next continues the snapshot."""
    socket = await house.subscribed()
    await house.append("old")
    house.log.empty(TOPIC)
    await house.append("new")
    assert socket.types() == ["delta", "subscribed"]
    assert "id" not in socket.written[1]
    assert socket.written[1]["snapshot"]["as_of"] == 1
    await house.append("newer")
    assert socket.written[2]["offset"] == 2


async def test_a_snapshot_that_is_owed_is_tried_until_it_is_there(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is away at the wrong moment only delays it."""
    monkeypatch.setattr(connection_module, "_RETRY_SECONDS", 0.005)
    socket = await house.subscribed()
    house.application.refused = Refused("unavailable", "Not now.")
    house.log.empty(TOPIC)
    await house.append("new")
    assert socket.types() == []
    house.application.refused = None
    await until(lambda: socket.types() == ["subscribed"])


async def test_who_may_not_follow_any_more_is_told(house: House) -> None:
    """A conversation that was deleted meanwhile is an error without an id, and no subscription."""
    socket = await house.subscribed()
    house.application.refused = Refused("not_found", "Gone.")
    house.log.empty(TOPIC)
    await house.append("new")
    assert [m.get("code") for m in socket.written] == ["not_found"]
    house.application.refused = None
    await house.append("newer")
    assert len(socket.written) == 1


async def test_who_leaves_while_a_snapshot_is_owed_does_not_get_it(house: House) -> None:
    """`unsubscribe` holds also for what the server does by itself."""
    socket = await house.subscribed()
    house.application.showing.clear()
    house.log.empty(TOPIC)
    await house.append("new")
    socket.say(f"unsubscribe 3 {TOPIC}")
    await turn()
    house.application.showing.set()
    await house.append("newer")
    assert socket.types() == ["unsubscribed"]


async def test_who_subscribes_while_a_snapshot_is_owed_gets_one(house: House) -> None:
    """One subscription, whoever asked for it: every event comes once."""
    socket = await house.subscribed()
    house.application.showing.clear()
    house.log.empty(TOPIC)
    await house.append("new")
    socket.say(f"subscribe 3 {TOPIC}")
    await turn()
    house.application.showing.set()
    await turn()
    await house.append("newer")
    assert [(m["type"], m["offset"]) for m in socket.written] == [("subscribed", 1), ("delta", 2)]


async def test_a_beginning_that_does_not_join_is_replaced(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More happened than is buffered while the snapshot was made: another snapshot follows, without an id."""
    monkeypatch.setattr(hub_module, "_BUFFERED_EVENTS", 2)
    socket = house.connect()
    house.application.showing.clear()
    socket.say("hello 1", f"subscribe 2 {TOPIC}")
    await turn()
    await house.append("a", "b", "c")
    house.application.showing.set()
    await turn()
    await house.append("d")
    told = [(m["type"], m.get("id"), m.get("offset")) for m in socket.written[1:]]
    assert told == [("subscribed", "2", 0), ("subscribed", None, 3), ("delta", None, 4)]


async def test_a_client_that_goes_leaves_nothing_behind(house: House) -> None:
    """Neither a subscription nor a task, also when it goes in the middle of a snapshot."""
    live, beginning = await house.subscribed(), house.connect()
    house.application.showing.clear()
    beginning.say("hello 1", f"subscribe 2 {TOPIC}")
    await turn()
    before = house.hub.delivered
    live.leave()
    beginning.leave()
    house.application.showing.set()
    await house.ended()
    await house.append("x")
    assert house.hub.delivered == before


async def test_a_bug_in_the_background_ends_the_connection(house: House) -> None:
    """A client that would be deaf from here on must not believe that all is well."""
    socket = await house.subscribed()
    house.application.broken = ZeroDivisionError()
    house.log.empty(TOPIC)
    await house.append("new")
    await house.ended()
    assert socket.aborted


# ── a client that does not read ──────────────────────────────────────────────────────────────────────────────────


async def test_what_waits_for_a_slow_client_becomes_less(house: House) -> None:
    """While it does not read, deltas merge; nobody else waits, and what it gets in the end is complete."""
    slow, quick = await house.subscribed(), await house.subscribed()
    slow.reading.clear()
    await house.append("a")
    await house.append("b", "c")
    await house.append("d")
    assert [m["text"] for m in quick.written] == ["a", "b", "c", "d"]
    slow.reading.set()
    await turn()
    assert [m["text"] for m in slow.written] == ["a", "bcd"]
    assert (slow.written[1]["from"], slow.written[1]["offset"]) == (2, 4)
    await house.append("e")
    assert len(slow.frames) == 1


async def test_past_the_bound_a_slow_client_gets_a_snapshot(house: House) -> None:
    """What waits is dropped as a whole; when the client reads again it gets the present state, and goes on."""
    socket = await house.subscribed()
    socket.reading.clear()
    await house.append("first")
    for _ in range(5):
        await house.append("x" * 100_000)
    socket.reading.set()
    await turn()
    await house.append("last")
    assert [(m["type"], m["offset"]) for m in socket.written] == [
        ("delta", 1),
        ("subscribed", 6),
        ("delta", 7),
    ]


async def test_too_slow_for_too_long_is_1013(house: House) -> None:
    """After the time limit the goodbye is tried, and then the connection dropped; the others go on."""
    slow, quick = await house.subscribed(Limits(write_seconds=0.01)), await house.subscribed()
    slow.reading.clear()
    await house.append("a")
    await until(lambda: slow.aborted)
    await house.append("b")
    assert [m["text"] for m in quick.written] == ["a", "b"]
    quick.leave()
    await house.ended()


async def test_a_client_that_reads_again_hears_the_goodbye(house: House) -> None:
    """1013 reaches who reads at the last moment, and nothing that is old by then."""
    socket = await house.subscribed(Limits(write_seconds=0.01))
    socket.reading.clear()
    await house.append("a")
    await until(lambda: house.connections[0]._closing)
    socket.reading.set()
    await house.ended()
    assert (socket.closed, socket.aborted, socket.written) == (CloseCode.TOO_SLOW, False, [])


async def test_who_does_not_read_answers_is_asked_nothing(house: House) -> None:
    """Large snapshots that nobody takes away do not pile up: its next frames wait in the socket."""
    house.application.padding = "x" * 400_000
    socket = await house.subscribed()
    socket.reading.clear()
    socket.say(*(f"subscribe {number} {TOPIC}" for number in range(20)))
    await turn()
    assert house.connections[0]._outbox.answer_bytes < 2_000_000
    assert socket.incoming.qsize() > 10
    socket.reading.set()
    await turn()
    await turn()
    assert [m["id"] for m in socket.written] == [str(number) for number in range(20)]


async def test_goodbye_comes_after_all_that_waits(house: House) -> None:
    """An instance that stops says when to come back, and closes with 1012."""
    idle, busy = await house.subscribed(), await house.subscribed()
    busy.reading.clear()
    await house.append("a", "b")
    leaving = [asyncio.create_task(connection.leave(1.7)) for connection in house.connections]
    await turn()
    busy.reading.set()
    await asyncio.gather(*leaving)
    await house.ended()
    assert idle.types() == ["delta", "delta", "going_away"]
    assert busy.types()[-1] == "going_away"
    assert "".join(m.get("text", "") for m in busy.written) == "ab"
    assert (idle.written[-1]["reconnect_after"], idle.closed, busy.closed) == (1.7, 1012, 1012)


# ── a client that only listens ───────────────────────────────────────────────────────────────────────────────────


async def test_a_listener_needs_no_hello(house: House) -> None:
    """It was admitted already, follows one topic from where it was, and is told of a new epoch like all."""
    await house.append("a", "b")
    reading = await house.log.read(TOPIC, None)
    socket = house.listen(Position(reading.position.epoch, 1))
    await turn()
    await house.append("c")
    house.log.empty(TOPIC)
    await house.append("d")
    assert socket.types() == ["subscribed", "delta", "delta", "subscribed"]
    socket.leave()
    await house.ended()


async def test_a_listener_that_cannot_be_served_is_sent_away(house: House) -> None:
    """It cannot ask again by itself: the stream ends, and the client comes back."""
    house.log.away = True
    socket = house.listen()
    await house.ended()
    assert socket.closed == CloseCode.INTERNAL
