"""Questions of a crowd, asked together: what many want to know at the same time costs one call.

Who asks while nothing is on its way is answered at once, or after a moment in which others may join him. Who asks while
calls are waits for the next one, so that no answer is older than its question; what several ask alike is asked once.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Sequence
from contextvars import Context
from functools import partial
from itertools import islice
from typing import Any, Generic, TypeVar

Q = TypeVar("Q", bound=Hashable)
A = TypeVar("A")


class Together(Generic[Q, A]):
    """`ask` answers questions in their order; one that has an error for its answer fails alone.

    What `ask` raises, all of its questions fail with. It has time limits of its own, and an empty context: it is
    nobody's alone.
    """

    def __init__(
        self,
        ask: Callable[[list[Q]], Coroutine[Any, Any, Sequence[A | BaseException]]],
        *,
        most: int = 100,
        at_once: int = 4,
        gather_seconds: float = 0.0,
    ) -> None:
        self._ask = ask
        self._most = most
        self._at_once = at_once
        self._gather_seconds = gather_seconds
        self._waiting: dict[Q, asyncio.Future[A]] = {}
        self._calls: set[asyncio.Task[Sequence[A | BaseException]]] = set()

    async def __call__(self, question: Q) -> A:
        """The answer. Errors: those of `ask`. Who no longer waits for it takes it from nobody else."""
        answer = self._waiting.get(question)
        if answer is None:
            loop = asyncio.get_running_loop()
            if not self._waiting:
                loop.call_later(self._gather_seconds, self._call)
            answer = self._waiting[question] = loop.create_future()
        return await asyncio.shield(answer)

    def _call(self) -> None:
        if not self._waiting or len(self._calls) >= self._at_once:
            return
        asked = dict(islice(self._waiting.items(), self._most))
        for question in asked:
            del self._waiting[question]
        loop = asyncio.get_running_loop()
        call = loop.create_task(self._ask(list(asked)), context=Context())
        self._calls.add(call)
        call.add_done_callback(partial(self._answer, list(asked.values())))
        if self._waiting:
            loop.call_soon(self._call)

    def _answer(
        self, waiting: list[asyncio.Future[A]], call: asyncio.Task[Sequence[A | BaseException]]
    ) -> None:
        self._calls.discard(call)
        error = asyncio.CancelledError() if call.cancelled() else call.exception()
        found = [error] * len(waiting) if error is not None else call.result()
        for answer, one in zip(waiting, found, strict=True):
            if isinstance(one, asyncio.CancelledError):
                answer.cancel()
            elif isinstance(one, BaseException):
                answer.set_exception(one)
                answer.exception()  # those who asked may all be gone
            else:
                answer.set_result(one)
        self._call()
