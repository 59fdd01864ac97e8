"""One client's connection: what it is told, and in which order."""

import pytest

from realtime import connection as connection_module
from realtime import hub as hub_module
from realtime.log.contract import Position
from realtime.session import CloseCode, Limits, Refused
from tests.support.house import House, until
from tests.support.subscriber import TOPIC, turn

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
