"""The port of attendance (`realtime.attendance.contract`), on every engine."""

import json

import pytest

from realtime.errors import Unavailable
from tests.support.realtime_engines import Engine, LogEngine, listening
from tests.support.waiting import wait_until


async def test_who_is_where_is_read_in_the_same_step(log_engine: LogEngine, name: str) -> None:
    """Each instance has its users; one that has nobody is forgotten there."""
    attendance = log_engine.attendance()
    other = f"{name}-other"
    await attendance.here("one", [(name, {"ada", "grace"}), (other, {"ada"})])
    [found] = await attendance.here("two", [(name, {"ada"})])
    assert found == {"one": {"ada", "grace"}, "two": {"ada"}}
    [found] = await attendance.here("one", [(name, set())])
    assert found == {"two": {"ada"}}


async def test_those_who_follow_hear_of_it(log_engine: LogEngine, name: str) -> None:
    """A state and not a change; and whatever else is told, to those who follow that topic alone."""
    attendance, feed = log_engine.attendance(), log_engine.feed()
    async with listening(feed) as heard:
        await feed.follow(name)
        await attendance.here("one", [(name, {"grace", "ada"})])
        await attendance.tell(f"{name}-other", b'{"user":"ada","on":true}')
        await attendance.tell(name, b'{"user":"ada","on":true}')

        async def both() -> bool:
            return len(heard.notices) == 2

        await wait_until(both)
        assert {notice.topic for notice in heard.notices} == {name}
        assert [json.loads(notice.body) for notice in heard.notices] == [
            {"instance": "one", "users": ["ada", "grace"]},
            {"user": "ada", "on": True},
        ]
        assert heard.entries == []


async def test_who_lives_is_listed_until_it_says_goodbye(log_engine: LogEngine, name: str) -> None:
    """The first sign of life tells an instance that it was not known; others see it at once."""
    attendance = log_engine.attendance()
    one, two = f"{name}-one", f"{name}-two"
    assert one not in await attendance.alive(one)
    assert one in await attendance.alive(one)
    assert {one} <= await attendance.alive(two)
    await attendance.gone(one)
    assert one not in await attendance.alive(two)


async def test_attendance_is_unavailable_where_nothing_answers(absent: Engine, name: str) -> None:
    """An engine that is away is `Unavailable`, and never an error of the engine's own."""
    attendance = absent.attendance()
    calls = (
        attendance.here("one", [(name, {"ada"})]),
        attendance.alive("one"),
        attendance.gone("one"),
        attendance.tell(name, b"{}"),
    )
    for call in calls:
        with pytest.raises(Unavailable):
            await call
