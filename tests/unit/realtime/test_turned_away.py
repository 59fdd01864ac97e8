"""Who is no longer let in hears no more, whenever that was said."""

import pytest

from realtime import connection as connection_module
from realtime.errors import Unavailable
from realtime.log.contract import Record
from realtime.session import CloseCode, Refused
from tests.support.lobby import MEMBERS, Lobby, until
from tests.support.scripted_socket import ScriptedSocket
from tests.support.subscriber import TOPIC, turn

_FORBIDDEN = {"type": "error", "code": "forbidden", "detail": "No.", "conversation": TOPIC}


async def _changed(lobby: Lobby, refused: Exception | None = None) -> None:
    lobby.application.refused = refused
    await lobby.log.append(TOPIC, [Record(MEMBERS)])
    await turn()


async def _hears_nothing_more(lobby: Lobby, socket: ScriptedSocket) -> None:
    socket.written.clear()
    await lobby.append("a")
    assert socket.types() == []


async def test_who_was_taken_out_is_told_and_hears_no_more(lobby: Lobby) -> None:
    """The event itself, then an error that names the topic; the socket lives on."""
    socket = await lobby.subscribed()
    await _changed(lobby, Refused("forbidden", "No."))
    assert socket.types() == ["members", "error"]
    assert socket.written[1] == _FORBIDDEN
    await _hears_nothing_more(lobby, socket)
    socket.say("ping 3")
    await turn()
    assert socket.types() == ["pong"]


async def test_who_still_belongs_to_it_notices_nothing(lobby: Lobby) -> None:
    """No snapshot, no error."""
    socket = await lobby.subscribed()
    await _changed(lobby)
    await lobby.append("a")
    assert socket.types() == ["members", "delta"]


async def test_who_was_taken_out_while_it_began(lobby: Lobby) -> None:
    """Let in, and taken out before its snapshot was ready: it is looked at again as soon as it is live."""
    socket = lobby.connect()
    lobby.application.showing.clear()
    socket.say("hello 1", f"subscribe 2 {TOPIC}")
    await turn()
    await _changed(lobby, Refused("forbidden", "No."))
    lobby.application.showing.set()
    await turn()
    assert socket.types() == ["welcome", "subscribed", "members", "error"]
    await _hears_nothing_more(lobby, socket)


async def test_who_reads_of_it_in_what_was_missed(lobby: Lobby) -> None:
    """The change is among the entries that a client comes back to: whoever let it in may not have known."""
    await lobby.append("a")
    [position] = await lobby.log.offsets([TOPIC])
    assert position
    await _changed(lobby)
    admitted: list[str] = []

    async def admit(user: str, topic: str) -> None:
        admitted.append(topic)
        if len(admitted) > 1:
            raise Refused("forbidden", "No.")

    lobby.application.admit = admit
    socket = lobby.connect()
    socket.say("hello 1", f"subscribe 2 {TOPIC} {position.epoch} {position.offset}")
    await turn()
    assert socket.types() == ["welcome", "subscribed", "members", "error"]


@pytest.mark.parametrize("away", [Unavailable("scripted"), Refused("unavailable", "Away.")])
async def test_a_store_that_is_away_turns_nobody_away(
    lobby: Lobby, monkeypatch: pytest.MonkeyPatch, away: Exception
) -> None:
    """It is asked again until it says who may follow; until then things stay as they were."""
    monkeypatch.setattr(connection_module, "_RETRY_SECONDS", 0.001)
    socket = await lobby.subscribed()
    await _changed(lobby, away)
    await lobby.append("a")
    assert socket.types() == ["members", "delta"]
    lobby.application.refused = Refused("forbidden", "No.")
    await until(lambda: socket.types()[-1] == "error")
    await _hears_nothing_more(lobby, socket)


async def test_who_only_listens_is_shown_out(lobby: Lobby) -> None:
    """It can ask for nothing else: what it is told is the last."""
    socket = lobby.listen()
    await turn()
    await _changed(lobby, Refused("forbidden", "No."))
    await lobby.ended()
    assert socket.types() == ["subscribed", "members", "error"]
    assert socket.closed == CloseCode.NOT_ALLOWED


async def test_a_snapshot_that_is_refused_names_its_topic(lobby: Lobby) -> None:
    """The log begins anew, and who was taken out meanwhile is told which conversation that was."""
    socket = await lobby.subscribed()
    lobby.application.refused = Refused("forbidden", "No.")
    lobby.log.empty(TOPIC)
    await lobby.append("a")
    assert socket.written[-1] == _FORBIDDEN
