"""When text is looked for, and when it is appended."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.log.rounds import Rounds

PAUSE = 0.025
moments = st.floats(1, 1e6)
crowds = st.integers(1, 500)
few = st.integers(1, 12)


@given(moments, few, st.lists(st.floats(0, 20), min_size=2))
def test_a_few_look_in_the_same_moment(now: float, drafts: int, pauses: list[float]) -> None:
    """Whenever they ask, they are sent to the same place in the grid, which is shortly before a round."""
    rounds = Rounds(PAUSE)
    rounds.begin(now, drafts)
    asked = [now + share * rounds.pause for share in pauses]
    rests = [rounds.rest(moment, number) for number, moment in enumerate(asked)]
    before = [
        (rounds.due - moment - rest) / rounds.pause % 1.0 for moment, rest in zip(asked, rests, strict=True)
    ]
    assert all(0 < one <= 0.5 + 1e-6 for one in before)
    assert max(before) - min(before) < 1e-3


@given(moments, crowds, st.floats(0, 5), st.integers(0, 1000))
def test_nobody_looks_again_at_once(now: float, drafts: int, later: float, number: int) -> None:
    """Nor later than a pause and a half from now, however long ago the last round was."""
    rounds = Rounds(PAUSE)
    rounds.begin(now, drafts)
    assert 0.49 * rounds.pause <= rounds.rest(now + later, number) <= 1.51 * rounds.pause


@given(moments, st.integers(1, 300))
def test_a_crowd_is_divided_and_each_has_its_round(now: float, drafts: int) -> None:
    """A dozen in each, and all of them once in a pause."""
    rounds = Rounds(PAUSE)
    # They begin one after the other.
    looks = {number: now + 0.13 * number / drafts for number in range(drafts)}
    looked: dict[int, list[float]] = {number: [] for number in looks}
    sizes: list[int] = []
    for _ in range(100):
        begins = max(rounds.due, min(looks.values()))
        present = [number for number, look in looks.items() if look <= begins]
        rounds.begin(begins, drafts)
        for number in present:
            looked[number].append(looks[number])
            looks[number] += rounds.rest(looks[number], number)
        sizes.append(len(present))
    assert max(sizes[50:]) <= 12
    assert all(abs(last - before - rounds.pause) < 1e-3 for *_, before, last in looked.values())


@given(moments, st.lists(st.tuples(few, st.floats(0, 0.9)), min_size=1))
def test_a_round_that_is_late_moves_no_other(now: float, late: list[tuple[int, float]]) -> None:
    """The grid stays where it was, as long as no round is missed."""
    rounds = Rounds(PAUSE)
    rounds.begin(now, 1)
    for drafts, lateness in late:
        due = rounds.due
        rounds.begin(due + lateness * PAUSE, drafts)
        assert abs(rounds.due - (due + rounds.pause)) < 1e-6 * max(1.0, now)


@given(moments, st.floats(2.1, 1000))
def test_after_a_rest_the_next_round_is_a_pause_away(now: float, pauses: float) -> None:
    """A grid that nobody kept begins anew."""
    rounds = Rounds(PAUSE)
    rounds.begin(now, 1)
    rounds.begin(later := now + pauses * PAUSE, 1)
    assert abs(rounds.due - (later + PAUSE)) < 1e-6 * max(1.0, now)
