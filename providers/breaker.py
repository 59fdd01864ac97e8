"""A circuit breaker: leaves a provider alone that fails, and finds out carefully when it is well again. Pure.

::

    closed ──(enough failures in the window)──▶ open ──(it has rested)──▶ half-open
      ▲                                          ▲                           │
      └────(enough probes succeeded)─────────────┼──(a probe failed: longer)─┘

Half-open lets a bounded number of probes through at a time and nothing else. A call that its user gave up says nothing
about the provider. Calls are told apart by the *term* in which they were admitted, so that one which ends late, in
another state than it began in, changes nothing.
"""

from collections import deque
from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class Policy:
    """When a breaker opens, and how it closes again; times in seconds."""

    window: float = 60.0
    failures: int = 5
    """So many of them within the window open it …"""
    share: float = 0.5
    """… when they are at least this part of all calls that ended in it."""
    rest: float = 5.0
    """The first rest; each that follows without a success in between is twice as long …"""
    longest_rest: float = 120.0
    """… up to this."""
    probes: int = 1
    successes: int = 2
    probe_seconds: float = 60.0
    """A probe that has not ended by then is given up for lost, and another may go."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call may go. `wait`: seconds until it is worth asking again, for one that may not."""

    allowed: bool
    probe: bool
    term: int
    wait: float = 0.0


class Breaker:
    """One provider's and model's. `now` is of any clock that only moves forward."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._until: float | None = None
        self._rests = 0
        self._successes = 0
        self._term = 0
        self._probes: list[float] = []
        self._ended: deque[tuple[float, bool]] = deque()
        self._failures = 0

    def state(self, now: float) -> State:
        """How it stands."""
        if self._until is None:
            return "closed"
        return "open" if now < self._until else "half_open"

    @property
    def until(self) -> float:
        """When the rest ends, or ended; 0 for a closed one."""
        return self._until or 0.0

    @property
    def rests(self) -> int:
        """How many rests there were without a success in between."""
        return self._rests

    def admit(self, now: float) -> Admission:
        """Ask before a call. One that is allowed must be ended by `succeeded`, `failed` or `left`."""
        if self._until is None:
            return Admission(True, False, self._term)
        if now < self._until:
            return Admission(False, False, self._term, self._until - now)
        self._probes = [begun for begun in self._probes if begun + self._policy.probe_seconds > now]
        if len(self._probes) >= self._policy.probes:
            return Admission(False, False, self._term, 1.0)
        self._probes.append(now)
        return Admission(True, True, self._term)

    def succeeded(self, admission: Admission, now: float) -> State | None:
        """A call went well; returns the state that it leads to, where that is another."""
        if admission.term != self._term:
            return None
        if not admission.probe:
            self._note(now, ok=True)
            return None
        self._probe_ended()
        return self.probed()

    def failed(self, admission: Admission, now: float, retry_after: float | None = None) -> State | None:
        """The provider failed, whenever in the call; returns the state that it leads to, where that is another."""
        if admission.term != self._term:
            return None
        if admission.probe:
            self._open(now, retry_after)
            return "open"
        self._note(now, ok=False)
        policy = self._policy
        if self._failures < policy.failures or self._failures < policy.share * len(self._ended):
            return None
        self._open(now, retry_after)
        return "open"

    def left(self, admission: Admission) -> None:
        """The call says nothing: its user went away, or its request was wrong."""
        if admission.probe and admission.term == self._term:
            self._probe_ended()

    # ── what others found out ────────────────────────────────────────────────────────────────────────────────

    def opened_elsewhere(self, until: float, rests: int) -> bool:
        """Another process opened its own; returns whether that is news."""
        if self._until is not None and until <= self._until:
            return False
        self._begin_term()
        self._until, self._rests = until, max(rests, 1)
        return True

    def probed(self) -> State | None:
        """A probe went well, here or elsewhere; returns `closed` where it was the last that was needed."""
        if self._until is None:
            return None
        self._successes += 1
        if self._successes < self._policy.successes:
            return None
        self.closed_elsewhere()
        return "closed"

    def closed_elsewhere(self) -> bool:
        """The provider is well again; returns whether that is news."""
        if self._until is None:
            return False
        self._begin_term()
        self._until, self._rests = None, 0
        return True

    # ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _open(self, now: float, retry_after: float | None) -> None:
        policy = self._policy
        rest = policy.rest * 2.0 ** min(self._rests, 30)
        self._begin_term()
        self._rests += 1
        self._until = now + min(max(rest, retry_after or 0.0), policy.longest_rest)

    def _begin_term(self) -> None:
        self._term += 1
        self._successes = self._failures = 0
        self._probes.clear()
        self._ended.clear()

    def _probe_ended(self) -> None:
        if self._probes:
            self._probes.pop(0)

    def _note(self, now: float, *, ok: bool) -> None:
        self._ended.append((now, ok))
        self._failures += not ok
        while self._ended and self._ended[0][0] <= now - self._policy.window:
            _, was_ok = self._ended.popleft()
            self._failures -= not was_ok
