"""How often one user may change something over HTTP. (A socket counts its own frames.)"""

import time
from collections import OrderedDict
from collections.abc import Callable

from realtime.bucket import Bucket
from server.web.problems import HttpProblem

_AT_ONCE_SECONDS = 4.0
"""So many seconds' worth may come at once."""
_MOST_USERS = 10_000


class WriteLimits:
    """A bucket for each user that was here lately, in this process alone: an engine would cost each request more."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def check(self, user: str) -> None:
        """Count one more request. Errors: `HttpProblem` with `rate_limited`."""
        now = self._clock()
        bucket = self._buckets.get(user)
        if bucket is None:
            bucket = Bucket(self._per_second, self._per_second * _AT_ONCE_SECONDS, now)
            self._buckets[user] = bucket
            if len(self._buckets) > _MOST_USERS:
                self._buckets.popitem(last=False)  # whose bucket has filled for longest
        self._buckets.move_to_end(user)
        wait = bucket.take(now)
        if wait:
            raise HttpProblem(429, "rate_limited", "Too many requests.", retry_after=wait)
