"""How often one user may change something over HTTP, on a clock of the test's own."""

import pytest

from server.web import write_limits
from server.web.problems import HttpProblem
from server.web.write_limits import WriteLimits


class Clock:
    """Stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        """See `time.monotonic`."""
        return self.now


def refused(limits: WriteLimits, user: str) -> float:
    """How long one has to wait; 0 where one need not."""
    try:
        limits.check(user)
    except HttpProblem as problem:
        return problem.retry_after or 0
    return 0.0


def test_so_many_at_once_and_then_so_many_a_second() -> None:
    """Who waits as long as told is let in, who does not waits longer, and nobody waits for ever."""
    clock = Clock()
    limits = WriteLimits(5, clock)
    assert [refused(limits, "ada") for _ in range(20)] == [0.0] * 20
    first, second = refused(limits, "ada"), refused(limits, "ada")
    assert 0.2 < first < second
    clock.now += second
    assert refused(limits, "ada") == 0
    assert max(refused(limits, "ada") for _ in range(10_000)) < 1


def test_everybody_has_their_own() -> None:
    """One who floods keeps nobody else waiting."""
    limits = WriteLimits(1, Clock())
    for _ in range(4):
        limits.check("ada")
    with pytest.raises(HttpProblem) as caught:
        limits.check("ada")
    assert (caught.value.status, caught.value.code) == (429, "rate_limited")
    assert refused(limits, "grace") == 0


def test_a_crowd_takes_no_more_room_than_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was not here for longest is forgotten first, and not who was here just now."""
    monkeypatch.setattr(write_limits, "_MOST_USERS", 3)
    limits = WriteLimits(0.25, Clock())
    limits.check("ada")
    limits.check("bob")
    assert refused(limits, "ada")
    for user in ("cyd", "dan"):
        limits.check(user)
    assert refused(limits, "ada")
    assert refused(limits, "bob") == 0
