"""The first level by itself."""

from server.cache.memory import Memory, jittered
from tests.support.waiting import wait_until


async def test_what_was_not_asked_for_longest_goes_first() -> None:
    """Three places: the fourth value takes that of the one that nobody wanted."""
    memory = Memory(3)
    for key in "abc":
        await memory.set(key, key.upper(), 60)
    assert await memory.get("a") == "A"
    await memory.set("d", "D", 60)
    assert [await memory.get(key) for key in "abcd"] == ["A", None, "C", "D"]
    assert len(memory) == 3


async def test_it_is_bounded_whatever_comes() -> None:
    """Also what is set again takes one place."""
    memory = Memory(10)
    for number in range(1_000):
        await memory.set(str(number % 37), number, 60)
    assert len(memory) == 10


async def test_nothing_is_kept_for_longer_than_its_time() -> None:
    """It goes by itself."""
    memory = Memory(3)
    await memory.set("a", "A", 0.01)

    async def gone() -> bool:
        return await memory.get("a") is None

    await wait_until(gone)
    assert len(memory) == 0


async def test_emptied_it_has_nothing() -> None:
    """And takes more."""
    memory = Memory(3)
    await memory.set("a", "A", 60)
    await memory.empty()
    assert await memory.get("a") is None
    await memory.set("a", "B", 60)
    assert await memory.get("a") == "B"


def test_times_to_live_are_spread() -> None:
    """By a tenth either way, so that what was kept at once is not missed at once."""
    times = [jittered(100.0) for _ in range(1_000)]
    assert all(90 <= one <= 110 for one in times)
    assert min(times) < 95
    assert max(times) > 105
