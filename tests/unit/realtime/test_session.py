"""The rules of a session: what may be said when, and how often."""

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from realtime.session import CloseCode, Limits, Refused, Session
from tests.support.scripted_client import Frame, decode

LIMITS = Limits(bad_frames=3, frames_per_second=10, frames_at_once=5, subscriptions=2)


def session(limits: Limits = LIMITS) -> Session:
    """A session that begins at 0 s."""
    return Session(decode, limits, 0.0)


def refusal(session: Session, raw: str | bytes, now: float = 0.0) -> Refused:
    """Why a frame is refused."""
    with pytest.raises(Refused) as caught:
        session.receive(raw, now)
    return caught.value


def test_hello_comes_first() -> None:
    """Anything else is refused under its own id, and the socket stays open for a hello."""
    new = session()
    early = refusal(new, "ping 1")
    assert (early.code, early.frame_id, early.close) == ("hello_required", "1", None)
    assert new.receive("hello 2", 0) == Frame("hello", "2")
    new.greet("usr_1")
    assert new.receive("ping 3", 0) == Frame("ping", "3")
    assert new.user == "usr_1"


def test_hello_is_said_once() -> None:
    """A second one is refused: the socket belongs to somebody."""
    greeted = session()
    greeted.greet("usr_1")
    assert refusal(greeted, "hello 1").code == "invalid"


def test_bad_frames_in_a_row_close() -> None:
    """A client that cannot speak is shown out; a good frame in between begins the count again."""
    spoken = session(Limits(bad_frames=3))
    spoken.greet("usr_1")
    assert [refusal(spoken, "!").close for _ in range(2)] == [None, None]
    spoken.receive("ping 1", 0)
    closes = [refusal(spoken, raw).close for raw in ("!", b"binary", "!")]
    assert closes == [None, None, CloseCode.BAD_FRAMES]


def test_binary_frames_are_bad_frames() -> None:
    """`chat.v1` is text."""
    assert refusal(session(), b"{}").code == "bad_frame"


@pytest.mark.parametrize("rate", [1, 3, 10, 50, 80])
def test_who_waits_as_long_as_it_is_told_is_heard(rate: float) -> None:
    """A bucket: five at once, and then so many a second; a refusal says how long to wait, and that is long enough."""
    fast = session(Limits(frames_at_once=5, frames_per_second=rate))
    now, refusals = 0.0, list[Refused]()
    while len(refusals) < 20:
        try:
            fast.receive("hello 1", now)
        except Refused as late:
            refusals.append(late)
            now += late.retry_after or 0
            fast.receive("hello 1", now)
    assert {(late.code, late.close) for late in refusals} == {("rate_limited", None)}


@pytest.mark.parametrize(
    ("raw", "packed", "name"),
    [
        ('{"type":"send","id":"7","text":"Hola"}', False, "7"),
        (msgspec.msgpack.encode({"type": "send", "id": "7"}), True, "7"),
        ('{"type":"ping"}', False, None),
        ('{"id":7}', False, None),
        ('{"id":"' + "x" * 65 + '"}', False, None),
        ("{", False, None),
        ("[" * 50_000, False, None),
        (b"\xc1", True, None),
        (b'{"id":"7"}', False, None),
        ('{"id":"7"}', True, None),
        ('{"id":"\udc80"}', False, None),
    ],
)
def test_what_is_too_much_is_refused_by_its_name(raw: str | bytes, packed: bool, name: str | None) -> None:
    """Whoever waits for the answer to a frame hears that it was too much, although nothing else was read of it."""
    fast = Session(decode, Limits(frames_at_once=0), 0.0, packed=packed)
    late = refusal(fast, raw)
    assert (late.code, late.frame_id) == ("rate_limited", name)


def test_who_never_slows_down_has_to_go() -> None:
    """Frames that are sent on and on against the limit end in 4429, bad ones too."""
    flood = session(Limits(frames_at_once=5, frames_per_second=1, bad_frames=1000))
    codes = [refusal(flood, "!").close for _ in range(40)]
    assert CloseCode.TOO_MANY in codes
    assert codes[:9] == [None] * 9


def test_subscriptions_are_counted() -> None:
    """One socket follows so many conversations and no more."""
    session().may_subscribe(1)
    with pytest.raises(Refused, match="at most 2") as caught:
        session().may_subscribe(2)
    assert caught.value.code == "too_many_subscriptions"


class Conversation(RuleBasedStateMachine):
    """Any client against the plainest account of the rules."""

    def __init__(self) -> None:
        super().__init__()
        self.session = session()
        self.now = 0.0
        self.greeted = False
        self.bad = 0
        self.accepted: list[float] = []
        self.closed = False

    def say(self, raw: str) -> Refused | None:
        """Say something; why it was refused, unless the rate was the reason."""
        try:
            self.session.receive(raw, self.now)
        except Refused as refused:
            self.closed = refused.close is not None
            if refused.code != "rate_limited":
                self.accepted.append(self.now)
            return refused
        self.accepted.append(self.now)
        return None

    @rule(seconds=st.floats(0, 2))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @precondition(lambda self: not self.closed)
    @rule()
    def hello(self) -> None:
        """It is taken exactly once."""
        refused = self.say("hello 1")
        if refused is None:
            assert not self.greeted
            self.session.greet("usr_1")
            self.greeted = True
        if refused is None or refused.code == "invalid":
            self.bad = 0
        else:
            assert refused.code == "rate_limited"

    @precondition(lambda self: not self.closed)
    @rule()
    def ping(self) -> None:
        """It is taken after hello."""
        refused = self.say("ping 1")
        if refused is None:
            assert self.greeted
        else:
            assert refused.code == "rate_limited" or (refused.code == "hello_required" and not self.greeted)
        if refused is None or refused.code == "hello_required":
            self.bad = 0

    @precondition(lambda self: not self.closed)
    @rule()
    def nonsense(self) -> None:
        """It is never taken, and the third in a row closes."""
        refused = self.say("!")
        assert refused
        if refused.code == "bad_frame":
            self.bad += 1
            assert (refused.close == CloseCode.BAD_FRAMES) == (self.bad >= LIMITS.bad_frames)

    @invariant()
    def never_faster_than_the_limit(self) -> None:
        """In no stretch of time are more frames looked at than the bucket holds and fills up with."""
        for first, began in enumerate(self.accepted):
            looked_at = len(self.accepted) - first
            assert looked_at <= LIMITS.frames_at_once + (self.now - began) * LIMITS.frames_per_second + 1e-6


Conversation.TestCase.settings = settings(max_examples=60, stateful_step_count=25)
TestConversation = Conversation.TestCase
TestConversation.__doc__ = """Any client against the plainest account of the rules."""
