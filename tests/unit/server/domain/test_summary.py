"""Which summary of a conversation stands, when the next is due, and how much of one fits."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from server.domain.ids import new_id
from server.domain.summary import Summary, changes, clipped, due, latest, stands

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CONVERSATION = new_id("cnv")
COUNTS = st.integers(0, 400)


def summary(seq: int, retracted: int = 0) -> Summary:
    """One that reaches up to the message with this `seq`."""
    return Summary(
        id=f"msg_{seq:032x}",
        conversation=CONVERSATION,
        seq=seq,
        text="owls",
        retracted=retracted,
        model="m",
        at=NOW,
    )


def path(*seqs: int) -> list[str]:
    """The ids of these messages."""
    return [f"msg_{seq:032x}" for seq in seqs]


def test_what_is_taken_back_within_it_makes_it_void() -> None:
    """Whatever branch that was on; what is taken back after it does not concern it."""
    assert stands(summary(5, retracted=1), [3, 6, 9])
    assert not stands(summary(5, retracted=1), [3, 4])
    assert not stands(summary(5), [5])


def test_what_is_put_away_within_it_makes_it_void_and_so_does_taking_it_out() -> None:
    """A message that is out again is not as it was: the summary was made without it."""
    changed = changes([(7, False, 0), (4, False, 2), (2, True, 0), (3, True, 1)])
    assert changed == [2, 3, 3, 4, 4]
    assert stands(summary(3, retracted=3), changed)
    assert not stands(summary(4, retracted=4), changed)


def test_it_is_good_for_branches_that_its_last_message_lies_on() -> None:
    """And of those that are, the one that reaches farthest is taken."""
    all_of_them = [summary(2), summary(7), summary(4)]
    assert latest(all_of_them, path(1, 2, 3, 4, 5), []) == summary(4)
    assert latest(all_of_them, path(1, 2, 6, 8), []) == summary(2)
    assert latest(all_of_them, path(1, 3), []) is None


def test_an_older_one_stands_in_for_one_that_is_void() -> None:
    """What was taken back came after it."""
    assert latest([summary(2), summary(4)], path(1, 2, 3, 4, 5), [3]) == summary(2)
    assert latest([summary(2), summary(4)], path(1, 2, 3, 4, 5), [1]) is None


def test_nothing_is_due_where_nothing_fell_out() -> None:
    """Nor while the old one reaches far enough ahead."""
    assert due(10, 10, 0) is None
    assert due(20, 8, 16) is None
    assert due(20, 8, 15) == 18


@given(COUNTS, COUNTS, COUNTS)
def test_a_summary_reaches_over_all_that_fell_out_and_never_over_the_question(
    total: int, kept: int, reached: int
) -> None:
    """It never goes back either, and once made is enough."""
    wanted = due(total, kept, reached)
    if wanted is None:
        assert kept >= total or reached >= min(total - kept, total - 1)
        return
    assert max(reached + 1, min(total - kept, total - 1)) <= wanted <= total - 1
    assert due(total, kept, wanted) is None


@given(st.text(max_size=300), st.integers(0, 100))
def test_what_is_too_long_is_cut(text: str, budget: int) -> None:
    """As it fits, and only where it must be."""

    def count(texts: object) -> list[int]:
        return [len(one.encode()) for one in texts]

    cut = clipped(text, budget, count)
    assert text.startswith(cut)
    assert len(cut.encode()) <= budget
    assert cut == text or len(text.encode()) > budget
