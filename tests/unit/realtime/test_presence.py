"""Who is here and who types: each user once, across instances, gathered, and never for longer than it is true."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from realtime import presence as presence_module
from realtime.frames import Answer
from realtime.log.contract import Notice
from realtime.presence import Presence
from tests.support.scripted_attendance import ScriptedAttendance
from tests.support.waiting import wait_until

TOPIC = "cnv_1"


class Device:
    """A member that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def tell(self, answer: Answer) -> None:
        """See `Member`."""
        self.told.append(msgspec.json.decode(answer.text))

    @property
    def present(self) -> list[list[str]]:
        """Who was here, each time that it was said."""
        return [frame["users"] for frame in self.told if frame["type"] == "presence"]

    @property
    def typing(self) -> list[tuple[str, bool]]:
        """Who began and stopped to type."""
        return [(frame["user"], frame["on"]) for frame in self.told if frame["type"] == "typing"]


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for seconds here."""
    monkeypatch.setattr(presence_module, "_LINGER_SECONDS", 0.05)
    monkeypatch.setattr(presence_module, "_ALIVE_SECONDS", 0.02)
    monkeypatch.setattr(presence_module, "_PAUSE_SECONDS_EACH", 0.0)


@pytest.fixture
def engine() -> ScriptedAttendance:
    """Give an engine that all instances share."""
    return ScriptedAttendance()


@asynccontextmanager
async def instances(engine: ScriptedAttendance, number: int = 1) -> AsyncGenerator[list[Presence]]:
    """Run so many instances."""
    async with asyncio.TaskGroup() as group:
        running = [Presence(engine, f"web-{n}", batch_seconds=0.005) for n in range(number)]
        engine.listeners = [one.heard for one in running]
        tasks = [task for one in running for task in one.start(group)]
        yield running
        for task in tasks:
            task.cancel()


def _arrive(presence: Presence, user: str) -> Device:
    device = Device()
    presence.arrive(TOPIC, user, device)
    return device


async def _until(device: Device, *users: str) -> None:
    async def is_told() -> bool:
        return device.present[-1:] == [sorted(users)]

    await wait_until(is_told)


async def test_a_user_counts_once_whatever_the_devices(engine: ScriptedAttendance) -> None:
    """Two devices at two instances are one user; the last one that goes takes the user along."""
    async with instances(engine, 2) as (here, there):
        ada, other = _arrive(here, "ada"), _arrive(there, "ada")
        grace = _arrive(there, "grace")
        for device in (ada, other, grace):
            await _until(device, "ada", "grace")
        here.leave(TOPIC, ada)
        there.leave(TOPIC, other)
        await _until(grace, "grace")


async def test_a_crowd_that_arrives_is_told_of_together(engine: ScriptedAttendance) -> None:
    """A hundred at once are a frame or two for each, and as few calls."""
    async with instances(engine) as (here,):
        devices = [_arrive(here, f"user-{n:03}") for n in range(100)]
        await _until(devices[0], *(f"user-{n:03}" for n in range(100)))
        assert all(len(device.present) <= 2 for device in devices)
        assert len(engine.asked) <= 2


async def test_who_comes_back_was_never_away(engine: ScriptedAttendance) -> None:
    """A lost connection and a new one are no news to anybody."""
    async with instances(engine) as (here,):
        grace, ada = _arrive(here, "grace"), _arrive(here, "ada")
        await _until(grace, "ada", "grace")
        told = len(grace.present)
        here.leave(TOPIC, ada)
        back = _arrive(here, "ada")
        await _until(back, "ada", "grace")
        await asyncio.sleep(0.1)
        assert len(grace.present) == told


async def test_the_users_of_a_dead_instance_go_with_it(engine: ScriptedAttendance) -> None:
    """It cannot say so itself: it is missed."""
    async with instances(engine) as (here,):
        ada = _arrive(here, "ada")
        await engine.alive("dead")
        await engine.here("dead", [(TOPIC, {"grace"})])
        await _until(ada, "ada", "grace")
        engine.crash("dead")
        await _until(ada, "ada")


async def test_an_engine_that_forgot_everything_is_told_again(engine: ScriptedAttendance) -> None:
    """What it lost, every instance says anew, and newcomers elsewhere see it."""
    async with instances(engine, 2) as (here, there):
        ada = _arrive(here, "ada")
        await _until(ada, "ada")
        engine._rooms.clear()
        engine._alive.clear()

        async def said_again() -> bool:
            return bool(engine._rooms)

        await wait_until(said_again)
        await _until(_arrive(there, "grace"), "ada", "grace")


async def test_nobody_is_told_while_the_engine_is_away_and_all_when_it_is_back(
    engine: ScriptedAttendance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again, and nothing else suffers."""
    async with instances(engine) as (here,):
        engine.away = True
        ada = _arrive(here, "ada")
        await asyncio.sleep(0.02)
        assert ada.present == []
        engine.away = False
        await _until(ada, "ada")


async def test_who_comes_while_the_engine_is_away_is_told_as_well(
    engine: ScriptedAttendance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another device of somebody who is here, of which the engine need not even be asked."""
    monkeypatch.setattr(presence_module, "_AGAIN_SECONDS", 0.02)
    async with instances(engine) as (here,):
        await _until(_arrive(here, "ada"), "ada")
        engine.away = True
        second = _arrive(here, "ada")
        here.arrive("cnv_2", "grace", Device())
        await asyncio.sleep(0.03)
        engine.away = False
        await _until(second, "ada")


async def test_what_others_say_while_they_are_asked_for_is_not_lost(engine: ScriptedAttendance) -> None:
    """Somebody goes elsewhere after the engine has answered, and before the answer is here."""
    async with instances(engine) as (here,):
        here.arrive("cnv_2", "ada", Device())
        await wait_until(lambda: _is_known(engine))
        await engine.alive("there")
        await engine.here("there", [(TOPIC, {"grace"})])
        engine.asked.clear()
        engine.answering.clear()
        ada = _arrive(here, "ada")
        await wait_until(lambda: _asked(engine))
        telling = asyncio.create_task(engine.here("there", [(TOPIC, set())]))
        await asyncio.sleep(0)
        engine.answering.set()
        await telling
        await _until(ada, "ada")


async def test_an_answer_of_before_a_doubt_is_not_believed(engine: ScriptedAttendance) -> None:
    """The feed was lost while the others were asked for: they are asked for once more."""
    async with instances(engine) as (here,):
        engine.answering.clear()
        ada = _arrive(here, "ada")
        await wait_until(lambda: _asked(engine))
        here.heard(None)
        engine._rooms.clear()
        engine.answering.set()
        await _until(ada, "ada")
        assert set(engine._rooms[TOPIC]) != set()


async def _is_known(engine: ScriptedAttendance) -> bool:
    return bool(engine._alive) and ["cnv_2"] in engine.asked


async def _asked(engine: ScriptedAttendance) -> bool:
    return [TOPIC] in engine.asked


async def test_a_room_that_is_empty_is_forgotten(engine: ScriptedAttendance) -> None:
    """Neither memory here nor anything in the engine stays."""
    async with instances(engine) as (here,):
        ada = _arrive(here, "ada")
        await _until(ada, "ada")
        here.leave(TOPIC, ada)

        async def forgotten() -> bool:
            return not here._rooms and not engine._rooms[TOPIC]

        await wait_until(forgotten)


async def test_many_users_are_counted_and_some_are_named(engine: ScriptedAttendance) -> None:
    """A frame stays small, however many are here."""
    async with instances(engine) as (here,):
        device, *_ = [_arrive(here, f"user-{n:03}") for n in range(150)]

        async def counted() -> bool:
            return bool(device.told) and device.told[-1]["count"] == 150

        await wait_until(counted)
        assert len(device.present[-1]) == 100


async def test_typing_is_told_when_it_begins_and_when_it_ends(engine: ScriptedAttendance) -> None:
    """Said again and again by its client, it is two frames to the others, on every instance."""
    async with instances(engine, 2) as (here, there):
        ada, grace = _arrive(here, "ada"), _arrive(there, "grace")
        await _until(grace, "ada", "grace")
        for on in (True, True, True, False, False):
            assert here.type(TOPIC, ada, on=on)
        await asyncio.sleep(0.05)
        assert grace.typing == [("ada", True), ("ada", False)]
        assert not here.type(TOPIC, grace, on=True)


async def test_typing_ends_with_its_socket_and_with_time(
    engine: ScriptedAttendance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who goes in the middle of a word, or is not heard of any more, does not type for ever."""
    monkeypatch.setattr(presence_module, "_TYPING_SECONDS", 0.05)
    async with instances(engine) as (here,):
        grace, ada = _arrive(here, "grace"), _arrive(here, "ada")
        here.type(TOPIC, ada, on=True)
        await asyncio.sleep(0.01)
        late = _arrive(here, "late")
        here.leave(TOPIC, ada)

        async def stopped() -> bool:
            return grace.typing == [("ada", True), ("ada", False)]

        await wait_until(stopped)
        here.heard(Notice(TOPIC, b'{"user":"linus","on":true}'))
        await wait_until(lambda: _ended(late))


async def _ended(device: Device) -> bool:
    return device.typing[-1:] == [("linus", False)]


async def test_a_notice_that_nobody_understands_is_nothing(engine: ScriptedAttendance) -> None:
    """Another version of ours may say more."""
    async with instances(engine) as (here,):
        ada = _arrive(here, "ada")
        here.heard(Notice(TOPIC, b"\xff"))
        here.heard(Notice("cnv_nobody_follows", b"{}"))
        await _until(ada, "ada")
