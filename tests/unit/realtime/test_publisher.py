"""Whose turn it is to be appended, and how often."""

from tests.support.scripted_log import ScriptedLog
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
    """A few as often as one; many less often, but never less than ten times a second."""
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
            pauses.append(writers[0].pause / QUICK)
    assert pauses == [1.0, 1.0, 2.0, 4.0]
