"""A client that does not read: less and less waits for it, and nobody else does."""

import asyncio

from realtime.session import CloseCode, Limits
from tests.support.lobby import Lobby, until
from tests.support.subscriber import TOPIC, turn


async def test_what_waits_for_a_slow_client_becomes_less(lobby: Lobby) -> None:
    """While it does not read, deltas merge; nobody else waits, and what it gets in the end is complete."""
    slow, quick = await lobby.subscribed(), await lobby.subscribed()
    slow.reading.clear()
    await lobby.append("a")
    await lobby.append("b", "c")
    await lobby.append("d")
    assert [m["text"] for m in quick.written] == ["a", "b", "c", "d"]
    slow.reading.set()
    await turn()
    assert [m["text"] for m in slow.written] == ["a", "bcd"]
    assert (slow.written[1]["from"], slow.written[1]["offset"]) == (2, 4)
    await lobby.append("e")
    assert len(slow.frames) == 1


async def test_past_the_bound_a_slow_client_gets_a_snapshot(lobby: Lobby) -> None:
    """What waits is dropped as a whole; when the client reads again it gets the present state, and goes on."""
    socket = await lobby.subscribed()
    socket.reading.clear()
    await lobby.append("first")
    for _ in range(5):
        await lobby.append("x" * 100_000)
    socket.reading.set()
    await turn()
    await lobby.append("last")
    assert [(m["type"], m["offset"]) for m in socket.written] == [
        ("delta", 1),
        ("subscribed", 6),
        ("delta", 7),
    ]


async def test_too_slow_for_too_long_is_1013(lobby: Lobby) -> None:
    """After the time limit the goodbye is tried, and then the connection dropped; the others go on."""
    slow, quick = await lobby.subscribed(Limits(write_seconds=0.01)), await lobby.subscribed()
    slow.reading.clear()
    await lobby.append("a")
    await until(lambda: slow.aborted)
    await lobby.append("b")
    assert [m["text"] for m in quick.written] == ["a", "b"]
    quick.leave()
    await lobby.ended()


async def test_a_client_that_reads_again_hears_the_goodbye(lobby: Lobby) -> None:
    """1013 reaches who reads at the last moment, and nothing that is old by then."""
    socket = await lobby.subscribed(Limits(write_seconds=0.01))
    socket.reading.clear()
    await lobby.append("a")
    await until(lambda: lobby.connections[0]._closing)
    socket.reading.set()
    await lobby.ended()
    assert (socket.closed, socket.aborted, socket.written) == (CloseCode.TOO_SLOW, False, [])


async def test_who_does_not_read_answers_is_asked_nothing(lobby: Lobby) -> None:
    """Large snapshots that nobody takes away do not pile up: its next frames wait in the socket."""
    lobby.application.padding = "x" * 400_000
    socket = await lobby.subscribed()
    socket.reading.clear()
    socket.say(*(f"subscribe {number} {TOPIC}" for number in range(20)))
    await turn()
    assert lobby.connections[0]._outbox.answer_bytes < 2_000_000
    assert socket.incoming.qsize() > 10
    socket.reading.set()
    await turn()
    await turn()
    assert [m["id"] for m in socket.written] == [str(number) for number in range(20)]


async def test_goodbye_comes_after_all_that_waits(lobby: Lobby) -> None:
    """An instance that stops says when to come back, and closes with 1012."""
    idle, busy = await lobby.subscribed(), await lobby.subscribed()
    busy.reading.clear()
    await lobby.append("a", "b")
    leaving = [asyncio.create_task(connection.leave(1.7)) for connection in lobby.connections]
    await turn()
    busy.reading.set()
    await asyncio.gather(*leaving)
    await lobby.ended()
    assert idle.types() == ["delta", "delta", "going_away"]
    assert busy.types()[-1] == "going_away"
    assert "".join(m.get("text", "") for m in busy.written) == "ab"
    assert (idle.written[-1]["reconnect_after"], idle.closed, busy.closed) == (1.7, 1012, 1012)
