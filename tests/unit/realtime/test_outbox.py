"""The outbox: bounded, in order, and never a hole that its client is not told of."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from realtime.frames import Answer, Event, Merged, Outgoing
from realtime.outbox import Outbox


class Letters:
    """Bodies are a key and a letter, `a:x`; those of one key merge to `a:xyz`. Key `-` never merges."""

    def key(self, body: bytes) -> str | None:
        """See `Merger`."""
        key = body.decode().partition(":")[0]
        return None if key == "-" else key

    def merge(self, bodies: Sequence[bytes]) -> bytes:
        """See `Merger`."""
        key = bodies[0].partition(b":")[0]
        return key + b":" + b"".join(body.partition(b":")[2] for body in bodies)


def put(outbox: Outbox, topic: str, *bodies: str, first: int = 1) -> None:
    """Put events of one topic."""
    for offset, body in enumerate(bodies, first):
        outbox.put(Event(topic, offset, body.encode()))


def drained(outbox: Outbox) -> list[tuple[str, int, int, bytes] | bytes]:
    """All that waits, as topic, first and last offset and body; an answer as its text."""
    items: list[tuple[str, int, int, bytes] | bytes] = []
    while (item := outbox.take()) is not None:
        if isinstance(item, Answer):
            items.append(item.text)
        else:
            first = item.first if isinstance(item, Merged) else item.offset
            items.append((item.topic, first, item.offset, item.body))
    return items


def test_neighbours_of_one_key_leave_as_one() -> None:
    """What waits together leaves together, as a frame that says what it covers."""
    outbox = Outbox(Letters())
    put(outbox, "t", "a:x", "a:y", "b:z", "a:w")
    assert drained(outbox) == [("t", 1, 2, b"a:xy"), ("t", 3, 3, b"b:z"), ("t", 4, 4, b"a:w")]


def test_topics_merge_past_each_other() -> None:
    """Order is owed within a topic: two replies that stream at once do not keep each other from merging."""
    outbox = Outbox(Letters())
    for offset, letter in enumerate("xyz", 1):
        put(outbox, "t", f"a:{letter}", first=offset)
        put(outbox, "u", f"a:{letter}", first=offset)
    assert drained(outbox) == [("t", 1, 3, b"a:xyz"), ("u", 1, 3, b"a:xyz")]


def test_what_never_merges_stays_alone() -> None:
    """An event without a key leaves as it came, the very object, so that its frame is encoded once for all clients."""
    outbox = Outbox(Letters())
    event = Event("t", 1, b"-:x")
    outbox.put(event)
    put(outbox, "t", "-:y", first=2)
    assert outbox.take() is event
    assert drained(outbox) == [("t", 2, 2, b"-:y")]


def test_a_gap_is_not_merged_over() -> None:
    """Events that are not neighbours stay two frames, so that the gap shows."""
    outbox = Outbox(Letters())
    put(outbox, "t", "a:x")
    put(outbox, "t", "a:y", first=3)
    assert drained(outbox) == [("t", 1, 1, b"a:x"), ("t", 3, 3, b"a:y")]


def test_what_was_taken_is_not_added_to() -> None:
    """A frame that left is out of reach."""
    outbox = Outbox(Letters())
    put(outbox, "t", "a:x")
    first = outbox.take()
    put(outbox, "t", "a:y", first=2)
    assert isinstance(first, Event)
    assert first.body == b"a:x"
    assert drained(outbox) == [("t", 2, 2, b"a:y")]


def test_past_the_bound_the_largest_topic_lapses() -> None:
    """The topic that fills the outbox loses its place; the others and all answers stay, and what waits is bounded."""
    outbox = Outbox(Letters(), max_bytes=12)
    put(outbox, "large", "a:x", "a:y", "a:z")
    outbox.put(Answer(b"pong"))
    put(outbox, "small", "b:x")
    put(outbox, "small", "b:y", first=2)
    assert outbox.lapsed == {"large"}
    assert outbox.waiting_bytes == 6
    assert drained(outbox) == [b"pong", ("small", 1, 2, b"b:xy")]


def test_a_lapsed_topic_is_silent_until_it_is_forgotten() -> None:
    """Nothing follows a hole but the snapshot that replaces all of it."""
    outbox = Outbox(Letters(), max_bytes=5)
    put(outbox, "t", "a:x", "a:y", "a:z")
    assert outbox.lapsed == {"t"}
    assert drained(outbox) == []
    outbox.forget("t")
    put(outbox, "t", "a:w", first=9)
    assert drained(outbox) == [("t", 9, 9, b"a:w")]


def test_an_event_larger_than_the_bound_lapses_its_own_topic() -> None:
    """It does not push anybody else out."""
    outbox = Outbox(Letters(), max_bytes=8)
    put(outbox, "u", "a:x")
    put(outbox, "t", "-:" + "x" * 20)
    assert (outbox.lapsed, outbox.waiting_bytes) == ({"t"}, 3)
    assert drained(outbox) == [("u", 1, 1, b"a:x")]


def test_what_was_merged_before_merges_on() -> None:
    """A frame that stands for several entries already joins its neighbours like any other."""
    outbox = Outbox(Letters())
    put(outbox, "t", "a:w")
    outbox.put(Merged("t", 2, 3, b"a:xy"))
    put(outbox, "t", "a:z", first=4)
    outbox.put(Merged("t", 6, 7, b"a:no"))
    assert drained(outbox) == [("t", 1, 4, b"a:wxyz"), ("t", 6, 7, b"a:no")]


@dataclass
class Model:
    """What should come out, by the simplest of means: a list per topic, and what was promised since the last lapse."""

    max_bytes: int
    owed: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    offsets: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def put(self, outbox: Outbox, topic: str, body: str) -> None:
        """Put the next event of a topic into both."""
        self.offsets[topic] += 1
        event = Event(topic, self.offsets[topic], body.encode())
        outbox.put(event)
        self.owed[topic].append(event)
        for lapsed in outbox.lapsed:
            self.owed[lapsed] = []

    def take(self, outbox: Outbox) -> None:
        """Take a frame: it must be the topic's next, without a hole, and hold exactly what it covers."""
        item: Outgoing | None = outbox.take()
        if item is None:
            assert not any(self.owed.values())
            return
        assert not isinstance(item, Answer)
        first = item.first if isinstance(item, Merged) else item.offset
        covered = self.owed[item.topic][: item.offset - first + 1]
        del self.owed[item.topic][: len(covered)]
        assert [event.offset for event in covered] == list(range(first, item.offset + 1))
        bodies = [event.body for event in covered]
        assert item.body == (Letters().merge(bodies) if len(bodies) > 1 else bodies[0])

    def forget(self, outbox: Outbox, topic: str) -> None:
        """Begin the topic anew, as a snapshot does."""
        outbox.forget(topic)
        self.owed[topic] = []

    def check(self, outbox: Outbox) -> None:
        """The outbox counts right, and never holds more than its bound."""
        waiting = sum(len(event.body) for events in self.owed.values() for event in events)
        assert outbox.waiting_bytes == waiting <= self.max_bytes


topics = st.sampled_from(["t", "u", "v"])
puts = st.tuples(
    st.just("put"), topics, st.builds("{}:{}".format, st.sampled_from("ab-"), st.text("xyz", max_size=9))
)
steps = st.lists(
    st.one_of(puts, puts, puts, st.tuples(st.just("take"), topics), st.tuples(st.just("forget"), topics)),
    max_size=60,
)


@given(steps=steps, max_bytes=st.integers(5, 80))
def test_whatever_happens_nothing_is_lost_twice_or_out_of_order(
    steps: list[tuple[str, ...]], max_bytes: int
) -> None:
    """Any interleaving: each topic comes out in order, contiguous and complete, unless it lapsed; memory is bounded."""
    outbox, model = Outbox(Letters(), max_bytes), Model(max_bytes)
    for step in steps:
        match step:
            case ("put", topic, body):
                model.put(outbox, topic, body)
            case ("take", _):
                model.take(outbox)
            case (_, topic, *_):
                model.forget(outbox, topic)
        model.check(outbox)
    while outbox:
        model.take(outbox)
        model.check(outbox)
    assert outbox.take() is None
