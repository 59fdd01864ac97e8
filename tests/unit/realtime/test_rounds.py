"""When text is looked for, and when it is appended."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.log.rounds import Rounds

PAUSE = 0.025
moments = st.floats(1, 1e6)
drafts = st.integers(1, 500)


@given(moments, drafts, st.lists(st.floats(0, 20), min_size=2))
def test_all_look_at_the_same_moment(now: float, crowd: int, pauses: list[float]) -> None:
    """Whenever they ask, they are sent to the same place in the grid, which is shortly before a round."""
    rounds = Rounds(PAUSE)
    rounds.begin(now, crowd)
    asked = [now + share * rounds.pause for share in pauses]
    before = [(rounds.due - moment - rounds.rest(moment)) / rounds.pause % 1.0 for moment in asked]
    assert all(0 < one <= 0.5 + 1e-6 for one in before)
    assert max(before) - min(before) < 1e-3


@given(moments, drafts, st.floats(0, 5))
def test_nobody_looks_again_at_once(now: float, crowd: int, later: float) -> None:
    """Nor later than the round after the next, however long ago the last one was."""
    rounds = Rounds(PAUSE)
    rounds.begin(now, crowd)
    assert 0.49 * rounds.pause <= rounds.rest(now + later) <= 1.51 * rounds.pause


@given(moments, st.lists(st.tuples(drafts, st.floats(0, 0.9)), min_size=1))
def test_a_round_that_is_late_moves_no_other(now: float, late: list[tuple[int, float]]) -> None:
    """The grid stays where it was, as long as no round is missed."""
    rounds = Rounds(PAUSE)
    rounds.begin(now, 1)
    for crowd, lateness in late:
        due = rounds.due
        rounds.begin(due + lateness * PAUSE, crowd)
        assert abs(rounds.due - (due + rounds.pause)) < 1e-6 * max(1.0, now)


@given(moments, st.floats(2.1, 1000))
def test_after_a_rest_the_next_round_is_a_pause_away(now: float, pauses: float) -> None:
    """A grid that nobody kept begins anew."""
    rounds = Rounds(PAUSE)
    rounds.begin(now, 1)
    rounds.begin(later := now + pauses * PAUSE, 1)
    assert abs(rounds.due - (later + PAUSE)) < 1e-6 * max(1.0, now)
