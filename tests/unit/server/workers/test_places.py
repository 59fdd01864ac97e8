"""A worker's places, shared among its lanes."""

from hypothesis import given
from hypothesis import strategies as st

from server.workers.places import Places


def test_one_lane_has_all() -> None:
    """Where there is one provider, every place is its."""
    places = Places(3, ["a"])
    places.take("a", 2)
    assert places.free("a") == 1
    places.take("a")
    assert places.free("a") == 0
    places.give_back("a", 3)
    assert (places.free("a"), places.taken) == (3, 0)


def test_a_slow_lane_leaves_room_for_the_others() -> None:
    """It gets its share and the common half, and no more, however much of it waits."""
    places = Places(64, ["slow", "quick"])
    places.take("slow", places.free("slow"))
    assert places.taken == 48
    assert places.free("slow") == 0
    assert places.free("quick") == 16


def test_a_small_worker_serves_every_lane() -> None:
    """With fewer places than lanes, each has one of its own all the same."""
    places = Places(1, ["a", "b", "c"])
    places.take("a")
    assert (places.free("a"), places.free("b"), places.free("c")) == (0, 1, 1)


def test_who_waits_for_nothing_keeps_nobody_out() -> None:
    """An idle lane that asks the queue holds its own places meanwhile; a busy one, a few of the common half."""
    places = Places(8, ["idle", "busy"])
    assert places.to_claim("idle") == 2
    places.take("idle", places.to_claim("idle"))
    taken = 0
    while count := places.to_claim("busy"):
        assert count <= 4
        places.take("busy", count)
        taken += count
    assert taken == 6


@given(
    st.integers(1, 100),
    st.integers(1, 6),
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=300),
)
def test_no_lane_is_ever_kept_out(total: int, lanes: int, steps: list[tuple[int, bool]]) -> None:
    """Whatever comes and goes: never more than the total (or one for each), and its own share is always to be had."""
    names = [str(number) for number in range(lanes)]
    places, held = Places(total, names), dict.fromkeys(names, 0)
    share = total if lanes == 1 else max(1, total // (2 * lanes))
    for number, coming in steps:
        lane = names[number % lanes]
        if coming and places.free(lane) > 0:
            places.take(lane)
            held[lane] += 1
        elif held[lane]:
            places.give_back(lane)
            held[lane] -= 1
        assert places.taken == sum(held.values()) <= max(total, lanes)
        for name in names:
            assert places.free(name) >= share - held[name]
