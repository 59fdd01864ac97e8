"""The port of handing over (`realtime.handover.contract`), on every engine."""

from typing import Any

import pytest

from realtime.errors import StaleWriter, Unavailable
from realtime.handover.contract import Given
from realtime.log.contract import Open, Position, Record
from tests.support.realtime_engines import Engine

PAYLOAD = {"reply": "msg_1", "ñ": "🦉 \n"}


async def test_both_have_it(engine: Engine, name: str) -> None:
    """The log has the records in their order, the queue the job as it was given."""
    records = [Record(b"one"), Record(b"two", Open("draft", 0, b"header"))]
    outcomes, queued = await engine.handover()(name, records, Given(name, "j", "Zoë", PAYLOAD))
    assert queued
    assert [outcome.offset for outcome in outcomes if isinstance(outcome, Position)] == [1, 2]
    reading = await engine.log().read(name, None)
    assert (reading.position, [draft.name for draft in reading.drafts]) == (outcomes[1], ["draft"])
    [job] = await engine.queue().claim("a", name, 1, 1)
    assert (job.id, job.lane, job.user, job.payload) == ("j", name, "Zoë", PAYLOAD)


async def test_what_the_log_refuses_keeps_no_job_back(engine: Engine, name: str) -> None:
    """A record of an older attempt is refused in its place; the others are told, and the job is given."""
    await engine.log().append(name, [Record(b"newer", Open("draft", 2, b""))])
    records = [Record(b"older", Open("draft", 1, b"")), Record(b"other")]
    outcomes, queued = await engine.handover()(name, records, Given(name, "j", "ada", PAYLOAD))
    assert isinstance(outcomes[0], StaleWriter)
    assert isinstance(outcomes[1], Position)
    assert queued
    assert len(await engine.queue().claim("a", name, 2, 1)) == 1


async def test_a_job_is_given_once(engine: Engine, name: str) -> None:
    """Who hands over again tells again, and gives nothing more."""
    hand_over, job = engine.handover(), Given(name, "j", "ada", PAYLOAD)
    for _ in range(2):
        _, queued = await hand_over(name, [Record(b"told")], job)
        assert queued
    assert len(await engine.queue().claim("a", name, 2, 1)) == 1
    assert (await engine.log().offsets([name]))[0] is not None


async def test_a_server_that_has_forgotten_the_scripts(engine: Engine, name: str) -> None:
    """As after a restart: both are done all the same, and once."""
    commands: Any = vars(engine)["commands"]
    await commands.script_flush()
    outcomes, queued = await engine.handover()(name, [Record(b"told")], Given(name, "j", "ada", PAYLOAD))
    assert queued
    assert [getattr(outcome, "offset", 0) for outcome in outcomes] == [1]
    assert len(await engine.queue().claim("a", name, 2, 1)) == 1


async def test_nobody_there_is_said(absent: Engine, name: str) -> None:
    """`Unavailable`, within the time of a call."""
    with pytest.raises(Unavailable):
        await absent.handover()(name, [Record(b"lost")], Given(name, "j", "ada", PAYLOAD))
