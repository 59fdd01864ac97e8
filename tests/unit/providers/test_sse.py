"""Splitting server-sent events, wherever the network cuts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.sse import EventSplitter, EventTooLong

_LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
_VALUES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)


@st.composite
def _streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """Write a stream of events with comments and other fields among them, and say what its data is."""
    events = draw(st.lists(st.lists(_VALUES, min_size=1, max_size=3), max_size=5))
    noise = st.sampled_from([b"", b": ping", b"event: delta", b"id: 7", b"retry: 3", b"nonsense"])
    written = bytearray()
    for lines in events:
        for line in lines:
            if extra := draw(noise):
                written += extra + draw(_LINE_ENDS)
            written += b"data: " + line.encode() + draw(_LINE_ENDS)
        # A lone CR before a lone LF would be one line end, and so no empty line.
        written += b"\r\n" if written.endswith(b"\r") else draw(_LINE_ENDS)
    return bytes(written), ["\n".join(lines).encode() for lines in events]


@given(stream=_streams(), data=st.data())
def test_the_cuts_do_not_matter(stream: tuple[bytes, list[bytes]], data: st.DataObject) -> None:
    """Any cutting of the bytes gives the same events."""
    written, expected = stream
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=20)))
    splitter = EventSplitter()
    events: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(written)], strict=True):
        events += splitter.feed(written[start:end])
    assert events == expected


@given(st.binary(max_size=200), st.integers(1, 5))
def test_any_bytes_give_the_same_events_in_one_piece_and_in_many(written: bytes, size: int) -> None:
    """Even nonsense is split alike, whatever the size of the pieces."""
    whole, many = EventSplitter(), EventSplitter()
    pieces = [written[at : at + size] for at in range(0, len(written), size)]
    assert [event for piece in pieces for event in many.feed(piece)] == whole.feed(written)


def test_an_unfinished_event_is_not_given() -> None:
    """What the end of the stream cut off is no event."""
    assert EventSplitter().feed(b"data: whole\n\ndata: half\n") == [b"whole"]


def test_the_space_after_the_colon_is_optional() -> None:
    """One space belongs to the format, a second one to the data."""
    assert EventSplitter().feed(b"data:a\n\ndata: b\n\ndata:  c\n\n") == [b"a", b"b", b" c"]


@pytest.mark.parametrize("piece", [b"x" * 10, b"x" * 10 + b"\ndata: "], ids=["one line", "many lines"])
def test_an_event_past_the_bound_is_refused(piece: bytes) -> None:
    """Neither a line nor a heap of lines is collected without end."""
    splitter = EventSplitter(max_event=100)
    with pytest.raises(EventTooLong):
        list(map(splitter.feed, [b"data: ", *[piece] * 20]))


def test_the_bound_is_for_each_event() -> None:
    """A long stream of short events is no long event."""
    splitter = EventSplitter(max_event=100)
    for _ in range(100):
        assert splitter.feed(b": comment\ndata: 0123456789\n\n") == [b"0123456789"]


def test_only_one_line_feed_belongs_to_a_carriage_return() -> None:
    """`CR | LF | LF`, each in a chunk of its own: the first LF is the CR's other half, the second ends the event."""
    splitter = EventSplitter()
    assert [splitter.feed(chunk) for chunk in (b"data: x\r", b"", b"\n", b"\n")] == [[], [], [], [b"x"]]
