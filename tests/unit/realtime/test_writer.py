"""Growing drafts: at once, in order, in few steps, and exact whatever the engine loses."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.errors import DraftLost, StaleWriter
from realtime.log.contract import Close, Entry, Grow, Open, Position, Reading, Record, Tell
from realtime.log.writer import DraftWriter, Publisher
from tests.support.scripted_log import ScriptedLog
from tests.support.waiting import wait_until

TOPIC, DRAFT = "cnv_1", "msg_1"
QUICK = 0.001
NEVER = 1000.0


def said(**fields: Any) -> bytes:
    """An event's body."""
    return json.dumps(fields).encode()


def delta(at: int, text: str) -> bytes:
    """More text."""
    return said(type="delta", at=at, text=text)


def aside(at: int, text: str) -> bytes:
    """More of what is beside the text."""
    return said(type="aside", at=at, text=text)


class Reader:
    """Somebody who began with a snapshot, and applies what came after it."""

    def __init__(self, reading: Reading) -> None:
        self.place = reading.position
        self.text = reading.drafts[0].text if reading.drafts else ""
        self.types: list[str] = []

    def apply(self, entries: list[Entry]) -> None:
        """Apply events by their positions."""
        for entry in entries:
            event = json.loads(entry.body)
            self.types.append(event["type"])
            if event["type"] == "delta":
                assert len(self.text) >= event["at"], "a hole in the text"
                self.text = self.text[: event["at"]] + event["text"]


@asynccontextmanager
async def publishing(log: ScriptedLog, pause_seconds: float = QUICK) -> AsyncGenerator[Publisher]:
    """Run a publisher while the body runs."""
    publisher = Publisher(log, pause_seconds)
    task = asyncio.create_task(publisher.run())
    try:
        yield publisher
    finally:
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()


def opened(publisher: Publisher, draft: str = DRAFT, attempt: int = 1) -> DraftWriter:
    """A writer that has opened its draft."""
    writer = publisher.writer(TOPIC, draft, attempt)
    writer.open(said(type="started"), b"{}")
    return writer


async def turn() -> None:
    """Let everything that can go on go on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def flushed(writer: DraftWriter) -> None:
    """Flush, in time."""
    async with asyncio.timeout(30):
        await writer.flush()


def types(log: ScriptedLog) -> list[str]:
    """The types of all events, in order."""
    return [json.loads(body)["type"] for body in log.bodies(TOPIC)]


async def test_the_first_piece_goes_at_once() -> None:
    """Nobody waits for company: a pause comes after an append, and not before it."""
    log = ScriptedLog()
    async with publishing(log, NEVER) as publisher:
        writer = opened(publisher)
        writer.write("Hola", delta)
        await turn()
        assert log.text(TOPIC, DRAFT) == "Hola"


async def test_pieces_that_wait_become_one() -> None:
    """What is written while an append is under way is one event, however many tokens it was."""
    log = ScriptedLog()
    async with publishing(log) as publisher:
        writer = opened(publisher)
        log.answering.clear()
        await turn()
        for token in "abcdefgh":
            writer.write(token, delta)
            await turn()
        log.answering.set()
        await flushed(writer)
        writer.write("!", delta)
        await flushed(writer)
    assert [json.loads(body) for body in log.bodies(TOPIC)[1:]] == [
        {"type": "delta", "at": 0, "text": "abcdefgh"},
        {"type": "delta", "at": 8, "text": "!"},
    ]
    assert publisher.appends == 3


async def test_what_is_under_way_is_not_added_to() -> None:
    """An event that may be in the log already stays as it is."""
    log = ScriptedLog()
    async with publishing(log) as publisher:
        writer = opened(publisher)
        writer.write("ab", delta)
        log.answering.clear()
        await turn()
        writer.write("cd", delta)
        log.answering.set()
        await flushed(writer)
    assert log.bodies(TOPIC)[1:] == [delta(0, "ab"), delta(2, "cd")]


async def test_events_and_text_keep_their_order() -> None:
    """Text is joined only with its neighbours of the same kind; positions are code points, sizes are bytes."""
    log = ScriptedLog()
    async with publishing(log) as publisher:
        writer = opened(publisher)
        writer.aside("hm", aside, 0)
        writer.aside("…", aside, 2)
        writer.write("¡🦉", delta)
        writer.write("ñ", delta)
        writer.event(said(type="progress"))
        writer.write("!", delta)
        writer.close(said(type="ended"))
        await flushed(writer)
    assert log.bodies(TOPIC) == [
        said(type="started"),
        aside(0, "hm…"),
        delta(0, "¡🦉ñ"),
        said(type="progress"),
        delta(3, "!"),
        said(type="ended"),
    ]
    assert (await log.read(TOPIC, None)).drafts == []
    assert writer.length == 4


async def test_all_drafts_share_a_round_trip() -> None:
    """Cost follows time, not the number of replies: what waits for many drafts goes in one call."""
    log = ScriptedLog()
    async with publishing(log) as publisher:
        writers = [opened(publisher, f"msg_{number}") for number in range(20)]
        for writer in writers:
            writer.write("x", delta)
        for writer in writers:
            await flushed(writer)
        assert publisher.appends == 1


async def test_a_stale_writer_is_told_by_whatever_it_does_next() -> None:
    """Once a newer attempt has the draft, nothing more is written, and the producer cannot miss it."""
    log = ScriptedLog()
    async with publishing(log) as publisher:
        writer = opened(publisher)
        await flushed(writer)
        await log.append(TOPIC, [Record(said(type="restarted"), Open(DRAFT, 2, b""))])
        writer.write("late", delta)
        with pytest.raises(StaleWriter):
            await flushed(writer)
        with pytest.raises(StaleWriter):
            await writer.room()
        calls: list[Callable[[], None]] = [
            lambda: writer.write("x", delta),
            lambda: writer.aside("x", aside, 0),
            lambda: writer.event(b"{}"),
            lambda: writer.close(b"{}"),
        ]
        for call in calls:
            with pytest.raises(StaleWriter):
                call()
        assert types(log) == ["started", "restarted"]


async def test_a_writer_that_opened_nothing_is_told() -> None:
    """It has no draft to begin again with."""
    log = ScriptedLog()
    async with publishing(log) as publisher:
        writer = publisher.writer(TOPIC, DRAFT, 1)
        writer.write("x", delta)
        with pytest.raises(DraftLost):
            await flushed(writer)


@pytest.mark.parametrize("ends", [False, True])
async def test_a_lost_draft_begins_again_with_all_of_its_text(ends: bool) -> None:
    """Whoever looks first at the emptied log, writer or reader: both end with the whole text, also at the very end."""
    log = ScriptedLog()
    async with publishing(log) as publisher:
        writer = opened(publisher)
        writer.write("Once upon", delta)
        await flushed(writer)
        log.empty(TOPIC)
        reader = Reader(await log.read(TOPIC, None))
        assert reader.text == ""
        writer.write(" a time", delta)
        if ends:
            writer.event(said(type="progress"))
            writer.close(said(type="ended"))
        await flushed(writer)
    reader.apply((await log.read(TOPIC, reader.place)).entries)
    assert reader.text == "Once upon a time"
    assert reader.types[-1] == ("ended" if ends else "delta")
    assert reader.types.count("ended") == ends


async def test_an_end_alone_does_not_pass_over_a_lost_draft() -> None:
    """When the engine was emptied just before the end, the text is told before it."""
    log = ScriptedLog()
    async with publishing(log) as publisher:
        writer = opened(publisher)
        writer.write("all of it", delta)
        await flushed(writer)
        log.empty(TOPIC)
        writer.close(said(type="ended"))
        await flushed(writer)
    assert log.bodies(TOPIC) == [said(type="started"), delta(0, "all of it"), said(type="ended")]


async def test_while_the_log_is_away_text_gathers_up_to_a_bound() -> None:
    """Writing never waits; `room` is where a producer does, and when the log is back everything arrives."""
    log = ScriptedLog()
    async with publishing(log) as publisher:
        writer = opened(publisher)
        await flushed(writer)
        log.away = True
        await writer.room()
        for _ in range(70):
            writer.write("x" * 1000, delta)
        waiting = asyncio.create_task(writer.room())
        await turn()
        assert not waiting.done()
        log.away = False
        await asyncio.wait_for(waiting, 30)
        await flushed(writer)
        assert log.text(TOPIC, DRAFT) == "x" * 70_000


async def test_an_answer_that_was_lost_does_no_harm() -> None:
    """The engine wrote and could not say so: what is written again takes its own place again."""
    log = ScriptedLog()
    async with publishing(log) as publisher:
        writer = opened(publisher)
        await flushed(writer)
        reader = Reader(await log.read(TOPIC, None))
        writer.write("once", delta)
        log.answering.clear()

        async def written() -> bool:
            return log.text(TOPIC, DRAFT) == "once"

        await wait_until(written)
        log.away = True
        log.answering.set()
        await turn()
        log.away = False
        writer.write(" and again", delta)
        await flushed(writer)
    reader.apply((await log.read(TOPIC, reader.place)).entries)
    assert reader.text == log.text(TOPIC, DRAFT) == "once and again"


actions = st.lists(
    st.sampled_from(["write", "write", "write", "event", "turn", "empty", "away", "back", "hold", "look"]),
    max_size=40,
)


@given(actions=actions)
@settings(max_examples=80, deadline=None)
async def test_whatever_the_engine_does_every_reader_ends_with_the_text(actions: list[str]) -> None:
    """Snapshot plus later events is the text, from any place in the last epoch, through losses and lost answers."""
    log = ScriptedLog()
    written = 0
    readers: list[Reader] = []
    async with publishing(log, 0.0) as publisher:
        writer = opened(publisher)
        for action in actions:
            match action:
                case "write":
                    writer.write(f"<{written}ñ>", delta)
                    written += 1
                case "event":
                    writer.event(said(type="progress"))
                case "turn":
                    await turn()
                case "empty":
                    log.empty(TOPIC)
                case "look" if log.answering.is_set() and not log.away:
                    readers.append(Reader(await log.read(TOPIC, None)))
                case _:
                    log.away = action == "away"
                    log.answering.clear() if action == "hold" else log.answering.set()
        log.away = False
        log.answering.set()
        await flushed(writer)
        readers.append(Reader(await log.read(TOPIC, None)))
        writer.close(said(type="ended"))
        await flushed(writer)
    text = "".join(f"<{number}ñ>" for number in range(written))
    for reader in readers:
        reading = await log.read(TOPIC, reader.place)
        if reading.recovered:
            reader.apply(reading.entries)
            assert reader.text == text
            assert reader.types.count("ended") == 1


def test_records_say_what_the_draft_should_be() -> None:
    """Each grows the draft from where the one before left it, and the end names the size that it believes in."""
    writer = Publisher(ScriptedLog()).writer(TOPIC, DRAFT, 3)
    writer.open(b"{}", b"head")
    writer.write("ñ", delta)
    writer.event(b"{}")
    writer.write("x", delta)
    writer.close(b"{}")
    records = writer.records()
    changes = [record.change for record in records]
    assert changes == [
        Open(DRAFT, 3, b"head"),
        Grow(DRAFT, 3, 0, "ñ"),
        Tell(DRAFT, 3),
        Grow(DRAFT, 3, 2, "x"),
        Close(DRAFT, 3, 3),
    ]
    writer.settle(records, [Position("e", offset) for offset in range(1, 6)])
    assert not writer.waits


async def test_what_is_kept_stays_and_the_rest_follows() -> None:
    """A writer that is held says nothing; once it is open, the kept text stands, and what was written follows it."""
    log = ScriptedLog()
    reader = Reader(await log.read(TOPIC, None))
    async with publishing(log) as publisher:
        first = publisher.writer(TOPIC, DRAFT, 1)
        first.open(said(type="started"), b"{}")
        first.write("Once upon a time", delta)
        await first.flush()
        second = publisher.writer(TOPIC, DRAFT, 2, "Once upon", held=True)
        second.event(said(type="progress"))
        second.write(" a mattress", delta)
        flushing = asyncio.create_task(second.flush())
        first.write(", there", delta)
        await first.flush()
        assert not flushing.done()
        second.open(said(type="restarted"), b"{}", said(type="started"))
        await flushing
        assert second.length == len("Once upon a mattress")
    reader.apply((await log.read(TOPIC, reader.place)).entries)
    reading = await log.read(TOPIC, None)
    assert reading.drafts[0].text == reader.text == "Once upon a mattress"
    assert reader.types[-4:] == ["restarted", "started", "progress", "delta"]


async def test_what_is_kept_is_told_again_when_the_engine_lost_it() -> None:
    """The whole text, the kept part of it among them, once."""
    log = ScriptedLog()
    async with publishing(log) as publisher:
        writer = publisher.writer(TOPIC, DRAFT, 2, "Once upon")
        writer.open(said(type="restarted"), b"{}")
        writer.write(" a time", delta)
        await writer.flush()
        log.empty(TOPIC)
        writer.write(", there", delta)
        await writer.flush()
    assert (await log.read(TOPIC, None)).drafts[0].text == "Once upon a time, there"
