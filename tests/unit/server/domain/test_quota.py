"""What a user may have, and what must hold of the accounts."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from server.domain.errors import QuotaExceeded
from server.domain.kept_quotas import StoredAccount, accounting
from server.domain.quota import ANSWER_TOKENS, Account, Quota, hold, holds
from server.domain.settings import ReplySettings

EVENING = datetime(2026, 11, 24, 23, 59, 30, tzinfo=UTC)
ACCOUNT = Account("usr_1", "2026-11-24", spent=700, held={"msg_1": 200})


def test_without_limits_everything_is_held() -> None:
    """However much there is already."""
    after = hold(ACCOUNT, Quota(), "msg_2", 10_000, EVENING)
    assert (after.held, after.spent) == ({"msg_1": 200, "msg_2": 10_000}, 700)


def test_so_many_replies_are_in_flight() -> None:
    """One more is refused, to be tried again soon."""
    hold(ACCOUNT, Quota(replies=2), "msg_2", 1, EVENING)
    with pytest.raises(QuotaExceeded) as refused:
        hold(ACCOUNT, Quota(replies=1), "msg_2", 1, EVENING)
    assert (refused.value.code, refused.value.retry_after) == ("quota_exceeded", 2.0)


def test_a_reply_that_is_being_stopped_leaves_its_place() -> None:
    """To the one for which it is stopped; its tokens stay where they are."""
    after = hold(ACCOUNT, Quota(replies=1), "msg_2", 1, EVENING, ["msg_1"])
    assert after.held == {"msg_1": 200, "msg_2": 1}
    with pytest.raises(QuotaExceeded):
        hold(ACCOUNT, Quota(replies=1, tokens=1_000), "msg_2", 101, EVENING, ["msg_1"])


def test_what_is_held_may_come_free_soon() -> None:
    """100 of 1,000 are left: 300 fit once the reply in flight has given back what it holds."""
    hold(ACCOUNT, Quota(tokens=1_000), "msg_2", 100, EVENING)
    with pytest.raises(QuotaExceeded) as refused:
        hold(ACCOUNT, Quota(tokens=1_000), "msg_2", 300, EVENING)
    assert refused.value.retry_after == 2.0


def test_what_is_spent_comes_back_with_the_next_day() -> None:
    """`retry_after` is the rest of this one."""
    with pytest.raises(QuotaExceeded) as refused:
        hold(ACCOUNT, Quota(tokens=1_000), "msg_2", 301, EVENING)
    assert refused.value.retry_after == 30.0


def test_a_reply_holds_what_its_answer_may_have() -> None:
    """Or what is usual; never more than a day has."""
    assert holds(ReplySettings(), Quota(tokens=50_000)) == ANSWER_TOKENS
    assert holds(ReplySettings(max_tokens=300), Quota(tokens=50_000)) == 300
    assert holds(ReplySettings(max_tokens=90_000), Quota(tokens=50_000)) == 50_000
    assert holds(ReplySettings(max_tokens=90_000), Quota(replies=1)) == 90_000


KEPT = StoredAccount(ACCOUNT, frozenset({"msg_1"}), {"msg_1": False}, 700)


def test_an_exact_account_is_clean() -> None:
    """Nothing is found; neither in one that is to be summed up anew."""
    assert list(accounting(KEPT)) == []
    assert list(accounting(replace(KEPT, account=replace(ACCOUNT, day="", spent=0)))) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda: replace(KEPT, known={"msg_1": True}, owed=frozenset()),
        lambda: replace(KEPT, known={}, owed=frozenset()),
        lambda: replace(KEPT, owed=frozenset({"msg_1", "msg_2"})),
        lambda: replace(KEPT, used=701),
    ],
    ids=["held after its end", "held for nothing", "not held", "spent otherwise"],
)
def test_every_damage_is_found(damage: Callable[[], StoredAccount]) -> None:
    """One finding for each."""
    assert [finding.rule for finding in accounting(damage())] == ["the quota is exact"]
