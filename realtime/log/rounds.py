"""When the drafts of a process are appended, and when whoever makes their text had best look for more. Pure.

Rounds are a grid in time. All who produce text look for it shortly before one, so it is fresh when it is appended; and
all at the same moment, because waking a process that rests costs more than what it then does for one of them.
"""

import math

_CROWD = 3
"""With more drafts than this growing, all wait longer: so that many cost little more than these."""
_CROWDED_PAUSES = 5.0
"""But not longer than so many pauses: text that moves eight times a second still flows."""
_LOOK_SECONDS = 0.002
_LOOK_SECONDS_EACH = 0.0002
"""What it takes to look for more text, at all and for each draft; what comes too late goes with the next round."""


class Rounds:
    """`pause`: seconds between two rounds, as many as drafts grow now. Moments are those of any one clock."""

    def __init__(self, shortest: float) -> None:
        self._shortest = shortest
        self._lead = 0.0
        self.pause = shortest
        self.due = 0.0

    def begin(self, now: float, drafts: int) -> None:
        """A round of so many drafts begins; the next is due a pause after this one was, or from now on if none was."""
        self.pause = self._shortest * min(max(drafts / _CROWD, 1.0), _CROWDED_PAUSES)
        self._lead = min(_LOOK_SECONDS + _LOOK_SECONDS_EACH * drafts, self.pause / 2)
        self.due = (self.due if now < self.due + self.pause else now) + self.pause

    def begin_at_once(self) -> None:
        """The next round is due now."""
        self.due = 0.0

    def rest(self, now: float) -> float:
        """Seconds until shortly before a round: half a pause at least, so not the one that is about to begin."""
        left, least = self.due - self._lead - now, self.pause / 2
        return left if left >= least else left + math.ceil((least - left) / self.pause) * self.pause
