"""Who may work on how much at once: a worker's places, shared among the lanes that it serves. Pure.

Half of the places belong to the lanes, the same number to each; the other half is whoever's comes first. So a lane
whose provider is slow takes at most its own share and the common half, and never the share of another.
"""

from collections.abc import Collection

_AT_ONCE = 4


class Places:
    """`total` places for these lanes; each has one of its own at the least, however few there are."""

    def __init__(self, total: int, lanes: Collection[str]) -> None:
        self._total = total
        self._share = total if len(lanes) == 1 else max(1, total // (2 * len(lanes)))
        self._taken = dict.fromkeys(lanes, 0)

    def free(self, lane: str) -> int:
        """How many more of a lane there may be now."""
        own = max(self._share - self._taken[lane], 0)
        reserved = sum(max(taken, self._share) for taken in self._taken.values())
        return own + max(self._total - reserved, 0)

    def to_claim(self, lane: str) -> int:
        """How many to ask the queue for at once: its own first.

        What a lane holds while it waits for jobs that do not come, no other can have: of the common half, a few.
        """
        own = self._share - self._taken[lane]
        return own if own > 0 else min(self.free(lane), _AT_ONCE)

    def take(self, lane: str, count: int = 1) -> None:
        """So many have begun, or are about to."""
        self._taken[lane] += count

    def give_back(self, lane: str, count: int = 1) -> None:
        """So many are over."""
        self._taken[lane] -= count

    @property
    def taken(self) -> int:
        """All that is going on."""
        return sum(self._taken.values())
