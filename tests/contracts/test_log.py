"""The port of the conversation log (`realtime.log.contract`), on every engine."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from realtime.errors import DraftLost, StaleWriter, Unavailable
from realtime.log.contract import (
    Change,
    Close,
    Draft,
    Entry,
    Feed,
    Grow,
    Log,
    Open,
    Position,
    Record,
    Retention,
    Tell,
)
from tests.support.realtime_engines import Engine, Heard, LogEngine, listening
from tests.support.waiting import wait_until


def body(text: object) -> bytes:
    """An event's body."""
    return b'{"text":"%s"}' % str(text).encode()


def records(*texts: object) -> list[Record]:
    """Records that touch no draft."""
    return [Record(body(text)) for text in texts]


def kinds(outcomes: list[Position | Exception]) -> list[int | type[Exception]]:
    """Offsets, and the classes of refusals."""
    return [outcome.offset if isinstance(outcome, Position) else type(outcome) for outcome in outcomes]


async def draft(log: Log, topic: str, *changes: Change) -> list[int | type[Exception]]:
    """Append changes of drafts, one record each."""
    return kinds(await log.append(topic, [Record(body("draft"), change) for change in changes]))


@asynccontextmanager
async def following(feed: Feed, topic: str) -> AsyncGenerator[Heard]:
    """Hear one topic."""
    async with listening(feed) as heard:
        await feed.follow(topic)
        yield heard


async def test_offsets_have_no_holes(log_engine: LogEngine, name: str) -> None:
    """Offsets count 1, 2, 3 … through one epoch, however the records are batched."""
    log = log_engine.log()
    first = await log.append(name, records("a", "b", "c"))
    second = await log.append(name, records("d"))
    assert kinds(first + second) == [1, 2, 3, 4]
    assert len({outcome.epoch for outcome in first + second if isinstance(outcome, Position)}) == 1


async def test_topics_know_nothing_of_each_other(log_engine: LogEngine, name: str) -> None:
    """One round trip appends to many topics; each has its own epoch and its own count."""
    log = log_engine.log()
    other = f"{name}-other"
    outcomes = await log.append_many([(name, records("a", "b")), (other, records("c")), (name, records("d"))])
    assert [kinds(batch) for batch in outcomes] == [[1, 2], [1], [3]]
    here, there = await log.offsets([name, other])
    assert here
    assert there
    assert (here.offset, there.offset) == (3, 1)
    assert here.epoch != there.epoch


async def test_many_positions_are_told_each_in_its_place(log_engine: LogEngine, name: str) -> None:
    """More than one call asks for, those without a log among them: each answer is that of its topic."""
    log = log_engine.log()
    some = [f"{name}-{n}" for n in range(0, 600, 7)]
    written = await log.append_many([(topic, records(*range(n % 3 + 1))) for n, topic in enumerate(some)])
    expected = {topic: batch[-1] for topic, batch in zip(some, written, strict=True)}
    asked = [f"{name}-{n}" for n in range(600)]
    assert await log.offsets(asked) == [expected.get(topic) for topic in asked]


async def test_a_log_that_does_not_exist_has_no_position(log_engine: LogEngine, name: str) -> None:
    """Asking where logs stand creates none; reading one does, so that its reader has an epoch to come back with."""
    log = log_engine.log()
    assert await log.offsets([name]) == [None]
    reading = await log.read(name, None)
    assert (reading.position.offset, reading.recovered, reading.entries, reading.drafts) == (0, False, [], [])
    assert await log.offsets([name]) == [reading.position]
    assert await log.append(name, records("a")) == [Position(reading.position.epoch, 1)]


@pytest.mark.parametrize("after", [0, 2, 5])
async def test_a_reader_gets_exactly_what_it_missed(log_engine: LogEngine, name: str, after: int) -> None:
    """`after` is the last offset that was seen; what follows comes in order, nothing twice."""
    log = log_engine.log()
    await log.append(name, records(1, 2, 3, 4, 5))
    [top] = await log.offsets([name])
    assert top
    reading = await log.read(name, Position(top.epoch, after))
    assert reading.recovered
    assert reading.position == top
    assert reading.entries == [Entry(offset, body(offset)) for offset in range(after + 1, 6)]


async def test_who_cannot_be_served_from_the_log_gets_a_position(log_engine: LogEngine, name: str) -> None:
    """No position, another epoch, or one that the log has not reached: a snapshot is due, and never a guess."""
    log = log_engine.log()
    await log.append(name, records(1, 2, 3))
    [top] = await log.offsets([name])
    assert top
    for after in (None, Position("another", 1), Position("", 0), Position(top.epoch, 4)):
        reading = await log.read(name, after)
        assert (reading.recovered, reading.position, reading.entries) == (False, top, [])


async def test_a_trimmed_log_says_so(log_engine: LogEngine, name: str) -> None:
    """Who is further back than the log reaches gets a snapshot; who is not, still resumes."""
    log = log_engine.log(Retention(max_entries=50))
    for _ in range(10):
        await log.append(name, [Record(body("x" * 200)) for _ in range(100)])
    [top] = await log.offsets([name])
    assert top
    assert top.offset == 1000
    far = await log.read(name, Position(top.epoch, 1))
    assert (far.recovered, far.entries, far.position) == (False, [], top)
    near = await log.read(name, Position(top.epoch, 960))
    assert near.recovered
    assert [entry.offset for entry in near.entries] == list(range(961, 1001))


async def test_the_order_of_the_log_is_the_order_of_delivery(log_engine: LogEngine, name: str) -> None:
    """Five writers at once: whoever listens hears what the log holds, in its order."""
    log, feed = log_engine.log(), log_engine.feed()
    async with following(feed, name) as heard:

        async def write(writer: int) -> None:
            for number in range(20):
                await log.append(name, records(f"{writer}.{number}", f"{writer}.{number}+"))

        await asyncio.gather(*(write(writer) for writer in range(5)))
        await heard.until(200)
    [top] = await log.offsets([name])
    assert top
    reading = await log.read(name, Position(top.epoch, 0))
    assert heard.entries == [(entry.offset, entry.body) for entry in reading.entries]
    assert [offset for offset, _ in heard.entries] == list(range(1, 201))


async def test_any_bytes_and_names_survive(log_engine: LogEngine, name: str) -> None:
    """Bodies may hold spaces, line ends and any code point; drafts likewise."""
    log, feed = log_engine.log(), log_engine.feed()
    said = '{"text":" \\n ¿Qué? 🦉 \u2028"}'.encode()
    async with following(feed, name) as heard:
        await log.append(name, [Record(said, Open("d", 1, b" \n\x00\xff", "🦉 "))])
        await heard.until(1)
    assert heard.entries == [(1, said)]
    reading = await log.read(name, None)
    assert reading.drafts == [Draft("d", 1, b" \n\x00\xff", "🦉 ")]


async def test_a_draft_opens_grows_and_closes(log_engine: LogEngine, name: str) -> None:
    """A draft is read with its text so far; sizes are bytes of UTF-8. A closed one is gone."""
    log = log_engine.log()
    growing = [Open("d", 1, b"head"), Grow("d", 1, 0, "¡Hola"), Grow("d", 1, 6, "!")]
    assert await draft(log, name, *growing) == [1, 2, 3]
    assert (await log.read(name, None)).drafts == [Draft("d", 1, b"head", "¡Hola!")]
    assert await draft(log, name, Close("d", 1, 7)) == [4]
    assert (await log.read(name, None)).drafts == []


async def test_drafts_are_read_in_one_step_with_the_offset(log_engine: LogEngine, name: str) -> None:
    """While a writer grows a draft, a snapshot never holds a text of another offset than it says."""
    log = log_engine.log()
    await draft(log, name, Open("d", 1, b""))
    done = asyncio.Event()

    async def write() -> None:
        for size in range(200):
            await draft(log, name, Grow("d", 1, size, "x"))
        done.set()

    writing = asyncio.create_task(write())
    while not done.is_set():
        reading = await log.read(name, None)
        assert len(reading.drafts[0].text) == reading.position.offset - 1
    await writing


async def test_a_newer_attempt_fences_the_older_off(log_engine: LogEngine, name: str) -> None:
    """Once attempt 2 has opened the draft, attempt 1 can do nothing to it, and its events are not published."""
    log, feed = log_engine.log(), log_engine.feed()
    await draft(log, name, Open("d", 1, b"", ""), Grow("d", 1, 0, "old"), Open("d", 2, b"new"))
    async with following(feed, name) as heard:
        stale = [Open("d", 1, b""), Tell("d", 1), Grow("d", 1, 3, "er"), Close("d", 1), Close("d", 1, 0)]
        assert await draft(log, name, *stale, Grow("d", 2, 0, "ok")) == [StaleWriter] * 5 + [4]
        await heard.until(1)
        assert [offset for offset, _ in heard.entries] == [4]
    assert (await log.read(name, None)).drafts == [Draft("d", 2, b"new", "ok")]


async def test_a_closed_draft_stays_closed(log_engine: LogEngine, name: str) -> None:
    """Nobody writes to a draft that is over, not even a newer attempt."""
    log = log_engine.log()
    await draft(log, name, Open("d", 1, b""), Close("d", 1))
    late = [Open("d", 2, b""), Tell("d", 1), Tell("d", 2), Grow("d", 1, 0, "x"), Close("d", 1)]
    assert await draft(log, name, *late) == [StaleWriter] * 5


async def test_an_end_that_came_before_its_beginning_comes_again(log_engine: LogEngine, name: str) -> None:
    """Once: who hears it in this order has both, and nothing is opened. Nobody else may begin what is over."""
    log = log_engine.log()
    end, late = Record(body("end"), Close("d", 1)), Record(body("late"), Open("d", 0, b"head"))
    before = (await log.read(name, None)).position
    appended = await log.append(name, [end, Record(body("begun"), Open("d", 1, b"")), late, late])
    assert kinds(appended) == [1, StaleWriter, 2, StaleWriter]
    told = (await log.read(name, Position(before.epoch, 0))).entries
    assert [entry.body for entry in told] == [end.body, late.body, end.body]
    assert (await log.read(name, None)).drafts == []


async def test_who_holds_a_draft_tells_of_it(log_engine: LogEngine, name: str) -> None:
    """What is said beside the text has its place in the log, and leaves the draft as it was."""
    log = log_engine.log()
    assert await draft(log, name, Open("d", 1, b"head", "abc"), Tell("d", 1), Grow("d", 1, 3, "d")) == [
        1,
        2,
        3,
    ]
    assert (await log.read(name, None)).drafts == [Draft("d", 1, b"head", "abcd")]


@pytest.mark.parametrize("size", [0, 2, 4])
async def test_a_writer_that_is_wrong_about_the_draft_is_told(
    log_engine: LogEngine, name: str, size: int
) -> None:
    """A draft that is longer or shorter than its writer believes is lost: no text is put in the wrong place."""
    log = log_engine.log()
    await draft(log, name, Open("d", 1, b"", "abc"))
    assert await draft(log, name, Grow("d", 1, size, "x"), Close("d", 1, size)) == [DraftLost] * 2
    assert (await log.read(name, None)).drafts == [Draft("d", 1, b"", "abc")]


async def test_a_draft_that_was_never_opened_is_lost(log_engine: LogEngine, name: str) -> None:
    """So is one of an older attempt, which the newer has not opened yet; only who knows no size may close it."""
    log = log_engine.log()
    await draft(log, name, Open("older", 1, b""))
    lost = [Grow("d", 1, 0, "x"), Close("d", 1, 0), Grow("older", 2, 0, "x"), Close("older", 2, 0)]
    assert await draft(log, name, *lost) == [DraftLost] * 4
    assert await draft(log, name, Close("d", 1), Close("older", 2)) == [2, 3]


async def test_a_refused_record_keeps_no_other_back(log_engine: LogEngine, name: str) -> None:
    """Offsets go to what was written alone, so that a refusal leaves no hole."""
    log = log_engine.log()
    batch = [Record(body(1)), Record(body("lost"), Grow("d", 1, 0, "x")), Record(body(2))]
    assert kinds(await log.append(name, batch)) == [1, DraftLost, 2]


async def test_an_emptied_engine_begins_a_new_epoch(log_engine: LogEngine, name: str) -> None:
    """Offsets begin again under another epoch, drafts are lost, and old positions are not recovered."""
    log = log_engine.log()
    await draft(log, name, Open("d", 1, b"", "abc"))
    [old] = await log.offsets([name])
    await log_engine.empty(name)
    assert await draft(log, name, Grow("d", 1, 3, "x")) == [DraftLost]
    reading = await log.read(name, old)
    assert old
    assert reading.position.epoch != old.epoch
    assert (reading.position.offset, reading.recovered, reading.drafts) == (0, False, [])


async def test_a_followed_topic_is_heard_and_no_other(log_engine: LogEngine, name: str) -> None:
    """`follow` returns when all that is appended later is certain to arrive; `unfollow` ends it."""
    log, feed = log_engine.log(), log_engine.feed()
    async with following(feed, name) as heard:
        await log.append_many([(f"{name}-other", records("no")), (name, records("yes"))])
        await heard.until(1)
        assert heard.entries == [(1, body("yes"))]
        await feed.unfollow(name)

        async def is_silent() -> bool:
            before = len(heard.entries)
            await log.append(name, records("no"))
            await asyncio.sleep(0.05)
            return len(heard.entries) == before

        await wait_until(is_silent)
        missed = len(heard.entries)
        await feed.follow(name)
        [again] = await log.append(name, records("again"))
        await heard.until(missed + 1)
        assert isinstance(again, Position)
        assert heard.entries[missed:] == [(again.offset, body("again"))]


async def test_following_twice_is_following_once(log_engine: LogEngine, name: str) -> None:
    """A topic that is followed already is heard once."""
    log, feed = log_engine.log(), log_engine.feed()
    async with following(feed, name) as heard:
        await asyncio.gather(feed.follow(name), feed.follow(name))
        await log.append(name, records("a", "b"))
        await heard.until(2)
        assert [offset for offset, _ in heard.entries] == [1, 2]


async def test_a_cut_feed_heals_and_says_so(log_engine: LogEngine, name: str) -> None:
    """After None all that was followed is heard again; what was appended in between has to be read."""
    log, feed = log_engine.log(), log_engine.feed()
    async with following(feed, name) as heard:
        await log_engine.cut_feeds()
        await heard.until_whole(2)
        await log.append(name, records("after"))
        await heard.until(1)
        assert heard.items[-2] is None


async def test_a_topic_may_be_followed_while_the_feed_connects(log_engine: LogEngine, name: str) -> None:
    """At whatever moment `follow` is called: when it returns, all is heard, and the feed says that it is whole."""
    log = log_engine.log()
    for steps in range(40):
        feed = log_engine.feed()
        async with listening(feed, connected=False) as heard:
            for _ in range(steps):
                await asyncio.sleep(0)
            await feed.follow(name)
            await log.append(name, records(steps))
            await heard.until(1)
            await heard.until_whole()


async def test_everything_is_unavailable_where_nothing_answers(absent: Engine, name: str) -> None:
    """An engine that is away is `Unavailable`, and never an error of the engine's own."""
    log = absent.log()
    for call in (log.append(name, records("a")), log.read(name, None), log.offsets([name])):
        with pytest.raises(Unavailable):
            await call
