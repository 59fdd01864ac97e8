"""What one user may have: so many replies in flight, so many tokens a day. Decided on an account; pure.

A reply in flight holds a part of the day's tokens: as many as its answer may have at most. When it has ended, it holds
nothing any more, and what it has really used is spent. Days are those of UTC.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from server.domain.errors import QuotaExceeded
from server.domain.settings import ReplySettings

ANSWER_TOKENS = 1_000
"""What a reply holds that says nothing of `max_tokens`."""
_RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Quota:
    """What each user may have; None for as much as they like."""

    replies: int | None = None
    tokens: int | None = None

    @property
    def limits(self) -> bool:
        """Whether there is any limit."""
        return self.replies is not None or self.tokens is not None


@dataclass(frozen=True, slots=True)
class Account:
    """What a user has: `spent` tokens on a `day`, and what each reply in flight holds."""

    user: str
    day: str
    spent: int = 0
    held: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def reserved(self) -> int:
        """Tokens that the replies in flight hold."""
        return sum(self.held.values())


def day_of(moment: datetime) -> str:
    """The day on whose account something goes."""
    return moment.astimezone(UTC).date().isoformat()


def day_ends(moment: datetime) -> datetime:
    """When the next one begins."""
    return day_begins(moment) + timedelta(days=1)


def day_begins(moment: datetime) -> datetime:
    """The beginning of its day."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def holds(settings: ReplySettings, quota: Quota) -> int:
    """What a reply holds while it is in flight; never more than a whole day's, or nobody could ever ask for it."""
    wanted = settings.max_tokens or ANSWER_TOKENS
    return wanted if quota.tokens is None else min(wanted, quota.tokens)


def hold(
    account: Account, quota: Quota, reply: str, tokens: int, now: datetime, leaving: Collection[str] = ()
) -> Account:
    """The account with one more reply in flight. Errors: `QuotaExceeded`, which says when to try again.

    `leaving` are being stopped to make room for it: their tokens may be used yet, their places are free.
    """
    if quota.replies is not None and len(set(account.held).difference(leaving)) >= quota.replies:
        detail = f"{quota.replies} of your replies are being made already."
        raise QuotaExceeded(detail, retry_after=_RETRY_SECONDS)
    if quota.tokens is not None and account.spent + account.reserved + tokens > quota.tokens:
        if account.held and account.spent + tokens <= quota.tokens:
            detail = "The rest of today's tokens is held by your replies that are being made."
            raise QuotaExceeded(detail, retry_after=_RETRY_SECONDS)
        detail = f"Of today's {quota.tokens} tokens {account.spent} are spent: too few are left for a reply."
        raise QuotaExceeded(detail, retry_after=round((day_ends(now) - now).total_seconds(), 1))
    return replace(account, held={**account.held, reply: tokens})
