"""A token bucket: so many at once, and then so many a second."""


class Bucket:
    """Full to begin with. `now` is in seconds, of a clock that never goes back."""

    __slots__ = ("_at", "_left", "_most", "_rate")

    def __init__(self, rate: float, most: float, now: float) -> None:
        self._rate = rate
        self._most = most
        self._left = most
        self._at = now

    def take(self, now: float) -> float:
        """Take one. 0 where there is one, otherwise nothing is taken: in so many seconds there is.

        Who does not wait for so long waits longer.
        """
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        self._left = max(self._left - 0.1, -self._most / 10 - 0.1)
        return round((1 - self._left) / self._rate + 0.01, 2)  # rather longer than too short

    @property
    def is_overdrawn(self) -> bool:
        """Whether somebody goes on taking who was told to wait."""
        return self._left < -self._most / 10
