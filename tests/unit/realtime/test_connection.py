"""One client's connection: what it is told, and in which order."""

import asyncio
import math

import pytest

from realtime import connection as connection_module
from realtime import hub as hub_module
from realtime.log.contract import Position
from realtime.session import CloseCode, Limits, Refused
from tests.support.lobby import Lobby, until
from tests.support.scripted_socket import ScriptedSocket
from tests.support.subscriber import TOPIC, turn

# ── what a client says ───────────────────────────────────────────────────────────────────────────────────────────


async def test_hello_in_time_or_4408(lobby: Lobby) -> None:
    """A socket that says nothing is not kept."""
    socket = lobby.connect(Limits(hello_seconds=0.01))
    await lobby.ended()
    assert (socket.closed, socket.written) == (CloseCode.NO_HELLO, [])


async def test_answers_carry_the_id_of_their_question(lobby: Lobby) -> None:
    """Every frame is answered under its own id, in order; what the connection does not know, the application does."""
    socket = lobby.connect()
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


async def test_who_may_not_come_in_is_told_and_shown_out(lobby: Lobby) -> None:
    """A refusal that closes is answered first."""
    socket = lobby.connect()
    socket.say("hello stranger")
    await lobby.ended()
    assert [m["code"] for m in socket.written] == ["unauthenticated"]
    assert socket.closed == CloseCode.UNAUTHENTICATED


async def test_bad_frames_are_answered_and_too_many_close(lobby: Lobby) -> None:
    """Each gets its error; the third in a row closes with 4400, and nothing after it is heard."""
    socket = lobby.connect()
    socket.say("hello 1", "!", b"\x00", "!", "ping 2")
    await lobby.ended()
    assert socket.types() == ["welcome", "error", "error", "error"]
    assert socket.closed == CloseCode.BAD_FRAMES


async def test_a_store_that_is_away_is_said_and_the_socket_lives_on(lobby: Lobby) -> None:
    """`unavailable`, when to try again, and then it works."""
    socket = lobby.connect()
    lobby.log.away = True
    socket.say("hello 1", f"subscribe 2 {TOPIC}")
    await turn()
    assert socket.written[1] | {"detail": ""} == {
        "type": "error",
        "id": "2",
        "code": "unavailable",
        "detail": "",
        "retry_after": 1.0,
    }
    lobby.log.away = False
    socket.say(f"subscribe 3 {TOPIC}")
    await turn()
    assert socket.types()[2:] == ["subscribed"]


# ── what a client follows ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_snapshot_or_what_was_missed_and_then_what_happens(lobby: Lobby) -> None:
    """Without a position a snapshot, with one the events after it; then live events, under their offsets."""
    await lobby.append("a", "b")
    new, back = lobby.connect(), lobby.connect()
    new.say("hello 1", f"subscribe 2 {TOPIC}")
    await turn()
    epoch = new.written[1]["epoch"]
    back.say("hello 1", f"subscribe 2 {TOPIC} {epoch} 1")
    await turn()
    await lobby.append("c")
    assert new.written[1]["snapshot"] == {"as_of": 2, "padding": ""}
    assert (new.written[1]["offset"], new.written[1]["recovered"]) == (2, False)
    assert "snapshot" not in back.written[1]
    assert (back.written[1]["offset"], back.written[1]["recovered"]) == (2, True)
    assert [m["offset"] for m in new.written[2:]] == [3]
    assert [m["offset"] for m in back.written[2:]] == [2, 3]


async def test_what_was_missed_comes_in_few_writes(lobby: Lobby) -> None:
    """The answer and all that follows it, in order, many frames to a write, none of them large."""
    await lobby.append(*("x" * 500 for _ in range(100)))
    back = await _back(lobby)
    assert [m["offset"] for m in back.written[1:]] == [100, *range(1, 101)]
    assert len(back.writes) < 6
    assert max(back.writes) < 20_000


async def test_who_stops_reading_in_the_midst_of_it_gets_the_rest_merged(lobby: Lobby) -> None:
    """What was not written waits in the outbox, like all that comes later: nothing twice, nothing missing."""
    await lobby.append(*("x" * 500 for _ in range(100)))
    back = await _back(lobby, writable=20_000)
    await lobby.append("y")
    read = back.written[-1]["offset"]
    assert 0 < read < 100
    back.reading.set()
    await turn()
    rest, live = back.written[-2:]
    assert (rest["from"], rest["offset"], rest["text"]) == (read + 1, 100, "x" * 500 * (100 - read))
    assert (live["offset"], live["text"]) == (101, "y")


async def _back(lobby: Lobby, writable: float = math.inf) -> ScriptedSocket:
    """A client that comes back and has missed everything."""
    [top] = await lobby.log.offsets([TOPIC])
    assert top
    socket = lobby.connect()
    socket.writable = writable
    socket.say("hello 1", f"subscribe 2 {TOPIC} {top.epoch} 0")
    await turn()
    return socket


async def test_all_clients_get_the_same_ready_frame(lobby: Lobby) -> None:
    """One event is one frame, encoded once, however many sockets it is written to."""
    one, two = await lobby.subscribed(), await lobby.subscribed()
    await lobby.append("x")
    assert one.frames[0] is two.frames[0]


async def test_subscribing_again_is_beginning_again(lobby: Lobby) -> None:
    """A second subscription replaces the first: nothing comes twice."""
    socket = await lobby.subscribed()
    socket.say(f"subscribe 3 {TOPIC}")
    await turn()
    await lobby.append("x")
    assert socket.types() == ["subscribed", "delta"]


async def test_unsubscribed_is_silent(lobby: Lobby) -> None:
    """After the answer no event comes."""
    socket = await lobby.subscribed()
    socket.say(f"unsubscribe 3 {TOPIC}")
    await turn()
    await lobby.append("x")
    assert socket.types() == ["unsubscribed"]


async def test_a_new_epoch_brings_a_snapshot(lobby: Lobby) -> None:
    """The client did nothing, so the answer has no id; what it gets next continues the snapshot."""
    socket = await lobby.subscribed()
    await lobby.append("old")
    lobby.log.empty(TOPIC)
    await lobby.append("new")
    assert socket.types() == ["delta", "subscribed"]
    assert "id" not in socket.written[1]
    assert socket.written[1]["snapshot"]["as_of"] == 1
    await lobby.append("newer")
    assert socket.written[2]["offset"] == 2


async def test_a_snapshot_that_is_owed_is_tried_until_it_is_there(
    lobby: Lobby, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is away at the wrong moment only delays it."""
    monkeypatch.setattr(connection_module, "_RETRY_SECONDS", 0.005)
    socket = await lobby.subscribed()
    lobby.application.refused = Refused("unavailable", "Not now.")
    lobby.log.empty(TOPIC)
    await lobby.append("new")
    assert socket.types() == []
    lobby.application.refused = None
    await until(lambda: socket.types() == ["subscribed"])


async def test_who_may_not_follow_any_more_is_told(lobby: Lobby) -> None:
    """A conversation that was deleted meanwhile is an error without an id, and no subscription."""
    socket = await lobby.subscribed()
    lobby.application.refused = Refused("not_found", "Gone.")
    lobby.log.empty(TOPIC)
    await lobby.append("new")
    assert [m.get("code") for m in socket.written] == ["not_found"]
    lobby.application.refused = None
    await lobby.append("newer")
    assert len(socket.written) == 1


async def test_who_leaves_while_a_snapshot_is_owed_does_not_get_it(lobby: Lobby) -> None:
    """`unsubscribe` holds also for what the server does by itself."""
    socket = await lobby.subscribed()
    lobby.application.showing.clear()
    lobby.log.empty(TOPIC)
    await lobby.append("new")
    socket.say(f"unsubscribe 3 {TOPIC}")
    await turn()
    lobby.application.showing.set()
    await lobby.append("newer")
    assert socket.types() == ["unsubscribed"]


async def test_who_subscribes_while_a_snapshot_is_owed_gets_one(lobby: Lobby) -> None:
    """One subscription, whoever asked for it: every event comes once."""
    socket = await lobby.subscribed()
    lobby.application.showing.clear()
    lobby.log.empty(TOPIC)
    await lobby.append("new")
    socket.say(f"subscribe 3 {TOPIC}")
    await turn()
    lobby.application.showing.set()
    await turn()
    await lobby.append("newer")
    assert [(m["type"], m["offset"]) for m in socket.written] == [("subscribed", 1), ("delta", 2)]


async def test_a_beginning_that_does_not_join_is_replaced(
    lobby: Lobby, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More happened than is buffered while the snapshot was made: another snapshot follows, without an id."""
    monkeypatch.setattr(hub_module, "_BUFFERED_EVENTS", 2)
    socket = lobby.connect()
    lobby.application.showing.clear()
    socket.say("hello 1", f"subscribe 2 {TOPIC}")
    await turn()
    await lobby.append("a", "b", "c")
    lobby.application.showing.set()
    await turn()
    await lobby.append("d")
    told = [(m["type"], m.get("id"), m.get("offset")) for m in socket.written[1:]]
    assert told == [("subscribed", "2", 0), ("subscribed", None, 3), ("delta", None, 4)]


async def test_a_client_that_goes_leaves_nothing_behind(lobby: Lobby) -> None:
    """Neither a subscription nor a task, also when it goes in the middle of a snapshot."""
    live, beginning = await lobby.subscribed(), lobby.connect()
    lobby.application.showing.clear()
    beginning.say("hello 1", f"subscribe 2 {TOPIC}")
    await turn()
    before = lobby.hub.delivered
    live.leave()
    beginning.leave()
    lobby.application.showing.set()
    await lobby.ended()
    await lobby.append("x")
    assert lobby.hub.delivered == before


async def test_an_idle_client_is_one_task(lobby: Lobby) -> None:
    """The one that waits for its next frame; so it is again once a slow client has caught up."""
    before = len(asyncio.all_tasks())
    sockets = [await lobby.subscribed() for _ in range(20)]
    assert len(asyncio.all_tasks()) == before + 20
    sockets[0].reading.clear()
    await lobby.append("a")
    assert len(asyncio.all_tasks()) == before + 21
    sockets[0].reading.set()
    await turn()
    assert len(asyncio.all_tasks()) == before + 20


async def test_a_bug_in_the_background_ends_the_connection(lobby: Lobby) -> None:
    """A client that would be deaf from here on must not believe that all is well."""
    socket = await lobby.subscribed()
    lobby.application.broken = ZeroDivisionError()
    lobby.log.empty(TOPIC)
    await lobby.append("new")
    await lobby.ended()
    assert socket.aborted


# ── a client that only listens ───────────────────────────────────────────────────────────────────────────────────


async def test_a_listener_needs_no_hello(lobby: Lobby) -> None:
    """It was admitted already, follows one topic from where it was, and is told of a new epoch like all."""
    await lobby.append("a", "b")
    reading = await lobby.log.read(TOPIC, None)
    socket = lobby.listen(Position(reading.position.epoch, 1))
    await turn()
    await lobby.append("c")
    lobby.log.empty(TOPIC)
    await lobby.append("d")
    assert socket.types() == ["subscribed", "delta", "delta", "subscribed"]
    socket.leave()
    await lobby.ended()


async def test_a_listener_that_cannot_be_served_is_sent_away(lobby: Lobby) -> None:
    """It cannot ask again by itself: the stream ends, and the client comes back."""
    lobby.log.away = True
    socket = lobby.listen()
    await lobby.ended()
    assert socket.closed == CloseCode.INTERNAL
