"""The circuit breaker: a state machine without a clock of its own, driven by chance."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from providers.breaker import Admission, Breaker, Policy

POLICY = Policy(
    window=60, failures=3, share=0.5, rest=5, longest_rest=40, probes=1, successes=2, probe_seconds=30
)


def _failing(breaker: Breaker, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        breaker.failed(breaker.admit(now), now)


def test_it_opens_rests_probes_and_closes() -> None:
    """The whole way round."""
    breaker = Breaker(POLICY)
    _failing(breaker, 2)
    assert breaker.state(0) == "closed"
    assert breaker.failed(breaker.admit(0), 0) == "open"
    assert breaker.admit(4.9) == Admission(False, False, 1, wait=5 - 4.9)
    assert breaker.state(5) == "half_open"
    probe = breaker.admit(5)
    assert (probe.allowed, probe.probe) == (True, True)
    assert not breaker.admit(5).allowed
    assert breaker.succeeded(probe, 6) is None
    assert breaker.succeeded(breaker.admit(6), 7) == "closed"
    assert breaker.state(7) == "closed"


def test_each_rest_is_longer_up_to_a_limit() -> None:
    """A probe that fails sends it back to rest, for twice as long; a provider that says how long is believed."""
    breaker = Breaker(POLICY)
    _failing(breaker, 3)
    now, rests = 0.0, list[float]()
    for _ in range(5):
        rests.append(breaker.until - now)
        now = breaker.until
        breaker.failed(breaker.admit(now), now)
    assert rests == [5, 10, 20, 40, 40]
    breaker = Breaker(POLICY)
    _failing(breaker, 2)
    breaker.failed(breaker.admit(0), 0, retry_after=17)
    assert breaker.until == 17


def test_few_failures_among_many_calls_open_nothing() -> None:
    """The share counts, and what lies before the window does not."""
    breaker = Breaker(POLICY)
    for _ in range(10):
        breaker.succeeded(breaker.admit(0), 0)
    _failing(breaker, 9, now=1)
    assert breaker.state(1) == "closed"
    _failing(breaker, 1, now=1)
    assert breaker.state(1) == "open"
    breaker = Breaker(POLICY)
    _failing(breaker, 2, now=0)
    _failing(breaker, 2, now=61)
    assert breaker.state(61) == "closed"


def test_who_leaves_says_nothing() -> None:
    """A user's stop is neither failure nor success, and frees the place of a probe."""
    breaker = Breaker(POLICY)
    for _ in range(20):
        breaker.left(breaker.admit(0))
    assert breaker.state(0) == "closed"
    _failing(breaker, 3)
    breaker.left(breaker.admit(5))
    assert breaker.state(5) == "half_open"
    assert breaker.admit(5).allowed


def test_a_late_end_changes_nothing() -> None:
    """A call that ends in another term than it began in is not counted in that one."""
    breaker = Breaker(POLICY)
    slow = breaker.admit(0)
    _failing(breaker, 3)
    until = breaker.until
    assert breaker.failed(slow, 1) is None
    assert breaker.until == until
    assert breaker.succeeded(slow, 6) is None
    assert breaker.state(6) == "half_open"


def test_others_are_believed() -> None:
    """What other processes found out counts: a longer rest, a probe that went well, the end of it."""
    breaker = Breaker(POLICY)
    assert breaker.opened_elsewhere(50, 2)
    assert not breaker.opened_elsewhere(49, 1)
    assert breaker.state(49) == "open"
    assert breaker.probed() is None
    assert breaker.probed() == "closed"
    assert breaker.probed() is None
    assert not breaker.closed_elsewhere()


class Machine(RuleBasedStateMachine):
    """Calls begin and end in any order, time passes, and others tell what they please."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(POLICY)
        self.running: list[tuple[Admission, float]] = []

    @rule(seconds=st.floats(0, 70))
    def time_passes(self, seconds: float) -> None:
        """The clock moves forward."""
        self.now += seconds

    @rule()
    def ask(self) -> None:
        """Open lets nothing through; half-open lets through probes, and not more than the policy has."""
        state = self.breaker.state(self.now)
        admission = self.breaker.admit(self.now)
        if state == "open":
            assert not admission.allowed
            assert admission.wait > 0
        if state == "closed":
            assert admission.allowed
        assert admission.probe == (admission.allowed and state == "half_open")
        if admission.allowed:
            self.running.append((admission, self.now))

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 50), how=st.sampled_from(["succeeded", "failed", "left"]))
    def end(self, which: int, how: str) -> None:
        """A call ends, well or not or left; leaving never changes the state."""
        admission, _ = self.running.pop(which % len(self.running))
        before = self.breaker.state(self.now)
        match how:
            case "succeeded":
                self.breaker.succeeded(admission, self.now)
                assert self.breaker.state(self.now) in (before, "closed")
            case "failed":
                self.breaker.failed(admission, self.now)
                assert self.breaker.state(self.now) in (before, "open")
            case _:
                self.breaker.left(admission)
                assert self.breaker.state(self.now) == before

    @rule(seconds=st.floats(0, 100), rests=st.integers(1, 9))
    def hear_of_a_rest(self, seconds: float, rests: int) -> None:
        """Another process opened."""
        self.breaker.opened_elsewhere(self.now + seconds, rests)

    @rule()
    def hear_that_it_is_well(self) -> None:
        """Another process closed."""
        self.breaker.closed_elsewhere()
        assert self.breaker.state(self.now) == "closed"

    @invariant()
    def probes_are_bounded(self) -> None:
        """Never more at a time than the policy has, but for those that were given up for lost."""
        fresh = [one for one, begun in self.running if one.probe and begun + POLICY.probe_seconds > self.now]
        terms = {one.term for one in fresh}
        for term in terms:
            assert sum(one.term == term for one in fresh) <= POLICY.probes

    @invariant()
    def rests_are_bounded(self) -> None:
        """No rest of its own is longer than the longest."""
        assert self.breaker.until <= self.now + 100


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
