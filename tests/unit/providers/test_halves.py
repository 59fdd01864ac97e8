"""Characters that a server has cut in two."""

import json
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract import TextDelta
from providers.halves import Halves
from providers.openai import ChatReading
from providers.refusal import Refusals

OWL = b"\\ud83e\\udd89"


def read(*contents: bytes) -> str:
    """The text of chunks that have this as their content, as it is written in JSON."""
    reading = ChatReading(Refusals("house", None))
    events = [b'{"choices":[{"delta":{"content":"%b"}}]}' % content for content in contents]
    deltas = [delta for event in events for delta in reading.feed(event)]
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


@given(st.text(), st.lists(st.integers(0, 40)))
def test_a_text_survives_wherever_it_is_cut(text: str, cuts: list[int]) -> None:
    """Cut by UTF-16 units, as some servers count: through characters, quotes and backslashes alike."""
    units = text.encode("utf-16-le", "surrogatepass")
    places = sorted({0, len(units), *(2 * cut for cut in cuts if 2 * cut < len(units))})
    pieces = [units[start:end] for start, end in pairwise(places)]
    halves = [piece.decode("utf-16-le", "surrogatepass") for piece in pieces]
    assert read(*(json.dumps(piece)[1:-1].encode() for piece in halves)) == text


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        ([OWL[:6], b"", OWL[6:]], "🦉"),
        ([b"a" + OWL[:6], OWL[6:] + OWL[:6], OWL[6:] + b"z"], "a🦉🦉z"),
        ([OWL[:6] + b"a"], "�a"),
        ([OWL[6:] + b"a"], "�a"),
        ([OWL[:6], b"a" + OWL[6:]], "a�"),
        ([OWL[:6], b'\\"' + OWL[6:]], '"�'),
        ([OWL[:6] + b'\\"', OWL[6:]], '�"�'),
        ([OWL[6:] + OWL[6:]], "��"),
        ([OWL[:6] + OWL], "�🦉"),
        ([b"\\\\ud83e"], "\\ud83e"),
        ([OWL[:6] + b"\\\\ud83e", OWL[6:]], "�\\ud83e�"),
    ],
)
def test_halves_join_where_they_belong_together(contents: list[bytes], text: str) -> None:
    """At the end of one string and the beginning of another; elsewhere half of a character is an unknown one."""
    assert read(*contents) == text


@pytest.mark.parametrize("event", [b'{"a":"\\u12"}', b'{"a":"\\ud8', b'{"a":"\\x"}', b"{", b"\\"])
def test_what_is_no_json_stays_none(event: bytes) -> None:
    """Nothing is mended that is broken otherwise."""
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(Halves().joined(event))
