"""Whose turn it is to be appended, and how often."""

import json

import pytest

from realtime.log import writer as writer_module
from realtime.log.contract import Open, Record
from tests.support.scripted_log import ScriptedLog
from tests.support.waiting import wait_until
from tests.unit.realtime.test_writer import (
    DRAFT,
    NEVER,
    QUICK,
    TOPIC,
    delta,
    flushed,
    opened,
    publishing,
    said,
    turn,
)


async def test_who_hurries_takes_nobody_elses_text_along() -> None:
    """Beginnings and ends go at once, on their own; what grows elsewhere still waits for its round."""
    log = ScriptedLog()
    async with publishing(log, NEVER) as publisher:
        waiting = opened(publisher, "msg_waiting")
        waiting.write("first", delta)
        await flushed(waiting)
        waiting.write(", more", delta)
        quick = opened(publisher)
        quick.write("at once", delta)
        await turn()
        assert log.text(TOPIC, DRAFT) == "at once"
        quick.close(said(type="ended"))
        await flushed(quick)
        assert log.text(TOPIC, "msg_waiting") == "first"
        waiting.close(said(type="ended"))
        await flushed(waiting)
    assert log.bodies(TOPIC)[-2:] == [delta(5, ", more"), said(type="ended")]


async def test_the_more_drafts_grow_the_longer_text_gathers() -> None:
    """A few as often as one; many less often, but never less than eight times a second."""
    log = ScriptedLog()
    pauses: list[float] = []
    async with publishing(log, QUICK) as publisher:
        for count in (1, 3, 6, 200):
            writers = [opened(publisher, f"msg_{count}_{number}") for number in range(count)]
            for writer in writers:
                await flushed(writer)
            log.answering.clear()
            writers[0].write("an append under way", delta)
            await turn()
            for writer in writers:
                writer.event(said(type="progress"))
            log.answering.set()
            for writer in writers:
                await flushed(writer)
            pauses.append(publisher.pause / QUICK)
    assert pauses == [1.0, 1.0, 2.0, 5.0]


async def test_a_server_that_is_away_holds_up_the_drafts_of_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written stays written, once; what was not is tried again, and not in every round."""
    monkeypatch.setattr(writer_module, "_REST_SECONDS", 0.05)
    log = ScriptedLog()
    async with publishing(log, QUICK) as publisher:
        near, far = opened(publisher), publisher.writer("cnv_far", DRAFT, 1)
        log.unreached = {"cnv_far"}
        far.open(said(type="started"), b"{}")
        for token in "abcdefgh":
            near.write(token, delta)
            far.write(token, delta)
            await flushed(near)
        tries = sum(Record(said(type="started"), Open(DRAFT, 1, b"{}")) in batch for batch in log.batches)
        assert tries <= 1 + 4
        log.unreached = set()
        await flushed(far)
        for writer in (near, far):
            writer.close(said(type="ended"))
            await flushed(writer)
    for topic in (TOPIC, "cnv_far"):
        told = [json.loads(body) for body in log.bodies(topic)]
        assert [event["type"] for event in told].count("started") == 1
        assert "".join(event.get("text", "") for event in told) == "abcdefgh"


async def test_a_server_that_is_asked_in_vain_holds_up_no_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may take seconds to say nothing: meanwhile the drafts of other servers grow as ever."""
    monkeypatch.setattr(writer_module, "_REST_SECONDS", 0.01)
    log = ScriptedLog()
    log.unreached = {"cnv_far"}
    async with publishing(log, QUICK) as publisher:
        near, far = opened(publisher), publisher.writer("cnv_far", DRAFT, 1)
        far.open(said(type="started"), b"{}")
        await flushed(near)
        log.giving_up.clear()

        async def is_asked() -> bool:
            return log.asking > 0

        await wait_until(is_asked)
        for token in "abc":
            near.write(token, delta)
            far.write(token, delta)
            await flushed(near)
        assert log.text(TOPIC, DRAFT) == "abc"
        log.unreached = set()
        log.giving_up.set()
        await flushed(far)
        assert log.text("cnv_far", DRAFT) == "abc"
