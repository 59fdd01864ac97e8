"""A time limit for many short waits, one after the other.

`asyncio.timeout` makes a timer for each wait, and drops it; of a stream whose next piece mostly is there already that
is a good part of what a token costs. Here one timer stands for all; when it rings it looks whether time is really over.
"""

import asyncio
from types import TracebackType
from typing import Any


class Patience:
    """`with patience.until(moment):` around each wait; `close` it in the end. Waits do not overlap.

    Errors of the `with`: `TimeoutError`, as `asyncio.timeout_at` raises it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._rings = 0.0
        self._moment = 0.0
        self._task: asyncio.Task[Any] | None = None
        """Who waits now."""
        self._cancelling = 0
        self._over = False

    def until(self, moment: float) -> "Patience":
        """Wait until a moment of the loop's clock."""
        self._moment = moment
        return self

    def __enter__(self) -> None:
        """The wait begins."""
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()
        if self._timer is None or self._rings > self._moment:
            self._set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """It is over, one way or the other."""
        task, self._task = self._task, None
        if self._over:
            self._over = False
            assert task is not None
            if task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
                raise TimeoutError from error

    def close(self) -> None:
        """Nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set(self) -> None:
        self.close()
        self._rings = self._moment
        self._timer = self._loop.call_at(self._rings, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._task is None:
            return  # whoever waits next sets it again
        if self._loop.time() < self._moment:
            self._set()
        else:
            self._over = True
            self._task.cancel()
