"""When a request that was refused for the moment is tried again: pure, and bounded by a budget that requests earn.

Without a budget a provider in trouble gets twice the requests, from everybody, just then (the design of gRPC's and
Finagle's retry budgets).
"""

from providers.errors import Overloaded, ProviderError, RateLimited, Truncated, Unreachable

_AT_ONCE = 10.0
"""So many retries may have been saved up."""

_PAUSE = 0.5
_LONGEST_PAUSE = 8.0


class RetryBudget:
    """One provider's: each request earns a share of a retry."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._saved = _AT_ONCE

    def earn(self) -> None:
        """A request is made."""
        self._saved = min(_AT_ONCE, self._saved + self._share)

    def spend(self) -> bool:
        """Whether a retry may be made; it is taken off."""
        if self._saved < 1.0:
            return False
        self._saved -= 1.0
        return True


def worth_retrying(error: ProviderError) -> bool:
    """Whether the same prompt may be answered at once: what waited too long is not waited for twice."""
    return isinstance(error, Unreachable | RateLimited | Overloaded | Truncated)


def pause(error: ProviderError, tries: int, chance: float) -> float:
    """Seconds until the next try: what the provider asked for, else more each time, spread by `chance` (0 to 1).

    The first time none, where nobody was reached: mostly a kept connection that the other side has closed meanwhile.
    """
    if error.retry_after is not None:
        return error.retry_after
    if tries == 0 and isinstance(error, Unreachable):
        return 0.0
    return min(_PAUSE * 2**tries, _LONGEST_PAUSE) * (0.5 + chance / 2)
