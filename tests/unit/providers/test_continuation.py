"""Going on with an answer: what is asked, and that nothing is said twice."""

from collections.abc import AsyncGenerator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.continuation import Seam, Spaces, anchor, going_on, overlap, turns_to_go_on
from providers.contract import Delta, Finish, Prompt, TextDelta, Turn, Usage, UsageReport

_TURNS = (Turn("system", "Be brief."), Turn("user", "Count."))

# Few letters, so that texts repeat themselves.
_texts = st.text("ab c.é", max_size=60)


def _pieces(text: str, cuts: list[int]) -> list[str]:
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(places)]


def _through(seam: Seam, pieces: list[str]) -> str:
    return "".join([*map(seam.feed, pieces), seam.end()])


@given(_texts, _texts, st.lists(st.integers(0, 120), max_size=20))
def test_pieces_make_no_difference(kept: str, answer: str, cuts: list[int]) -> None:
    """However an answer is cut up, the same beginning of it is trimmed."""
    assert _through(Seam(kept), _pieces(answer, cuts)) == answer[overlap(kept, answer) :]


@given(_texts, _texts, st.integers(0, 60))
def test_what_was_repeated_is_trimmed(kept: str, rest: str, repeated: int) -> None:
    """An answer that repeats enough of the end is trimmed by that or, where chance has it, by more; never by less."""
    tail = kept[-repeated:] if repeated else ""
    trimmed = overlap(kept, tail + rest)
    if len(tail) >= min(8, len(kept)) and kept:
        assert trimmed >= len(tail)
    assert (kept + (tail + rest)[trimmed:]).startswith(kept)


@given(_texts, st.text("xyz ", min_size=1, max_size=30), st.lists(st.integers(0, 90), max_size=9))
def test_a_new_text_is_left_alone(kept: str, answer: str, cuts: list[int]) -> None:
    """An answer that simply goes on, with other words, arrives whole."""
    if not answer.strip() or answer[0] == " ":
        return
    assert _through(Seam(kept), _pieces(answer, cuts)) == answer


def test_an_answer_begun_anew_is_trimmed_to_the_rest() -> None:
    """A model that says all of it again, however long, adds only what is new."""
    kept = "".join(f"{number} " for number in range(5000))
    assert _through(Seam(kept), _pieces(kept + "and so on.", list(range(0, 30000, 7)))) == "and so on."
    assert _through(Seam(kept), [kept[:100]]) == ""


@pytest.mark.parametrize(
    ("kept", "answer", "rest"),
    [
        ("Once upon a ti", "upon a time.", "me."),
        ("Once upon a time", " there was", " there was"),
        ("H", "Hello.", "ello."),
        ("ha ha", "ha!", "ha!"),
        ("", "Hello.", "Hello."),
    ],
)
def test_seams(kept: str, answer: str, rest: str) -> None:
    """What is long enough, or all there is, counts as repetition; less may be chance."""
    assert _through(Seam(kept), list(answer)) == rest


def test_nothing_is_held_back_without_need() -> None:
    """The first piece that can be no repetition goes out at once, and so does everything after it."""
    seam = Seam("One, two, three, ")
    assert [seam.feed("two, thr"), seam.feed("ee, "), seam.feed("four")] == ["", "", "four"]
    seam = Seam("One, two, three, ")
    assert [seam.feed("two,"), seam.feed(" too"), seam.feed(", ")] == ["", "two, too", ", "]


@pytest.mark.parametrize(
    ("kept", "answer", "rest"),
    [
        ("One, ", " two", "two"),
        ("One, ", "two", "two"),
        ("One,", " two", " two"),
        ("One\n\n", "\nTwo", "Two"),
    ],
)
def test_a_prefill_owes_its_last_space(kept: str, answer: str, rest: str) -> None:
    """The space that could not be sent is not told twice, whether the model writes it or not."""
    assert _through(Spaces(kept), list(answer)) == rest


def test_a_prefill_stands_last() -> None:
    """Where the model goes on by itself, the answer so far is the last turn, without the space at its end."""
    prompt = Prompt("m", _TURNS, kept="One, two, ")
    assert turns_to_go_on(prompt, prefill=True) == (*_TURNS, Turn("assistant", "One, two,"))


def test_others_are_asked_in_words() -> None:
    """Elsewhere a turn of the user asks for the rest, and quotes the last words."""
    *before, asked = turns_to_go_on(Prompt("m", _TURNS, kept="One, two, "), prefill=False)
    assert before == [*_TURNS, Turn("assistant", "One, two, ")]
    assert asked.role == "user"
    assert "«One, two, »" in asked.text


@pytest.mark.parametrize("prefill", [True, False])
@pytest.mark.parametrize("kept", ["", " \n"])
def test_nothing_kept_asks_nothing_more(kept: str, prefill: bool) -> None:
    """An answer that has not begun is asked for as ever."""
    assert turns_to_go_on(Prompt("m", _TURNS, kept=kept), prefill=prefill) == _TURNS


@given(_texts)
def test_an_anchor_is_enough_to_find_the_seam(kept: str) -> None:
    """A model that does as it is asked is trimmed exactly."""
    words = anchor(kept)
    assert kept.endswith(words)
    if words:
        assert overlap(kept, words + "XYZ") == len(words) or len(words) < min(8, len(kept))


async def test_a_stream_goes_on() -> None:
    """What is held back comes before the account, and everything else passes."""
    account, finish = UsageReport(Usage(1, 2, exact=True)), Finish("stop", None)

    async def stream() -> AsyncGenerator[Delta, None]:
        for delta in (TextDelta("One, two, "), TextDelta("three."), TextDelta(" F"), account, finish):
            yield delta

    told = [delta async for delta in going_on(stream(), "One, two, ", prefill=False)]
    assert told == [TextDelta("three."), TextDelta(" F"), account, finish]
    told = [delta async for delta in going_on(stream(), "One, two, three. F and G", prefill=False)]
    assert told == [account, finish]
