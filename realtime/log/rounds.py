"""When the drafts of a process are appended, and when whoever makes their text had best look for more. Pure.

Rounds are a grid in time. All who produce text look for it shortly before one, so it is fresh when it is appended; and
many in the same moment, because waking a process that rests costs more than what it then does for one of them. But not
all of a crowd: who comes in between, and is waited for, would wait for them. A crowd has several rounds in a pause, and
each draft has one of these.
"""

import math

_CROWD = 3
"""With more drafts than this growing, all wait longer: so that many cost little more than these."""
_CROWDED_PAUSES = 5.0
"""But not longer than so many pauses: text that moves eight times a second still flows."""
_TOGETHER = 12
"""Drafts of one round."""
_LOOK_SECONDS = 0.002
_LOOK_SECONDS_EACH = 0.0002
"""What it takes to look for more text, at all and for each draft; what comes too late goes with the next round."""


class Rounds:
    """`pause`: seconds between two rounds of one draft, as many as grow now. Moments are those of any one clock."""

    def __init__(self, shortest: float) -> None:
        self._shortest = shortest
        self._in_a_pause = 1
        self._number = 0
        """Of the next round."""
        self._lead = 0.0
        self.pause = shortest
        self.due = 0.0

    def begin(self, now: float, growing: int) -> None:
        """A round begins, while so many drafts grow; the next follows in the grid, or in a new one if none was kept."""
        self.pause = self._shortest * min(max(growing / _CROWD, 1.0), _CROWDED_PAUSES)
        self._in_a_pause = math.ceil(max(growing, 1) / _TOGETHER)
        each = _LOOK_SECONDS_EACH * growing / self._in_a_pause
        self._lead = min(_LOOK_SECONDS + each, self._step / 2)
        self.due = (self.due if now < self.due + self._step else now) + self._step
        self._number += 1

    def begin_at_once(self) -> None:
        """The next round is due now."""
        self.due = 0.0

    def rest(self, now: float, draft: int) -> float:
        """Seconds until shortly before the next round of a draft: half a pause at least, so not the one that is due.

        `draft`: its number in this process; those that follow one another have rounds that do.
        """
        ahead = (draft - self._number) % self._in_a_pause
        left, least = self.due + ahead * self._step - self._lead - now, self.pause / 2
        return left if left >= least else left + math.ceil((least - left) / self.pause) * self.pause

    @property
    def _step(self) -> float:
        return self.pause / self._in_a_pause
