"""A crowd's questions in few calls: each answered, none by what was known before it was asked."""

import asyncio
from collections.abc import Sequence

import pytest

from realtime.together import Together


class Oracle:
    """Answers with the number of the call, when it is let."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def ask(self, questions: list[str]) -> Sequence[int | BaseException]:
        """Take it that a question that ends with an exclamation mark is an impudence."""
        self.calls.append(questions)
        number = len(self.calls)
        await self.may_answer.wait()
        return [ValueError(one) if one.endswith("!") else number for one in questions]


async def turns(number: int = 5) -> None:
    """Let the loop go round."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_what_is_asked_at_once_costs_one_call() -> None:
    """Each has its answer; what several ask alike is asked once."""
    oracle = Oracle()
    together = Together(oracle.ask)
    assert await asyncio.gather(*map(together, "abcab")) == [1] * 5
    assert oracle.calls == [["a", "b", "c"]]


async def test_an_answer_is_never_older_than_its_question() -> None:
    """Whoever asks what is on its way already waits for the next call."""
    oracle = Oracle()
    together = Together(oracle.ask, at_once=1)
    oracle.may_answer.clear()
    early = asyncio.create_task(together("a"))
    await turns()
    late = [asyncio.create_task(together(one)) for one in "aba"]
    await turns()
    assert oracle.calls == [["a"]]
    oracle.may_answer.set()
    assert await early == 1
    assert await asyncio.gather(*late) == [2] * 3
    assert oracle.calls == [["a"], ["a", "b"]]


async def test_what_may_wait_is_asked_with_what_comes_a_moment_later() -> None:
    """One call for all, though each came at a time of its own."""
    oracle = Oracle()
    together = Together(oracle.ask, gather_seconds=0.05)
    first = asyncio.create_task(together("a"))
    await turns()
    assert oracle.calls == []
    assert await together("b") == 1
    assert await first == 1
    assert oracle.calls == [["a", "b"]]


async def test_a_call_takes_only_so_many() -> None:
    """The rest goes with the next ones, side by side as far as may be."""
    oracle = Oracle()
    together = Together(oracle.ask, most=2, at_once=2)
    oracle.may_answer.clear()
    asked = [asyncio.create_task(together(one)) for one in "abcde"]
    await turns()
    assert oracle.calls == [["a", "b"], ["c", "d"]]
    oracle.may_answer.set()
    assert await asyncio.gather(*asked) == [1, 1, 2, 2, 3]


async def test_who_fails_fails_alone() -> None:
    """An error in the place of an answer is one asker's; the call's own is everybody's."""
    oracle = Oracle()
    together = Together(oracle.ask)
    found = await asyncio.gather(*map(together, ("a", "b!", "c")), return_exceptions=True)
    assert [type(one) for one in found] == [int, ValueError, int]

    async def refuse(questions: list[str]) -> Sequence[int]:
        raise LookupError

    for one in await asyncio.gather(*map(Together(refuse), "ab"), return_exceptions=True):
        assert isinstance(one, LookupError)


async def test_who_leaves_takes_the_answer_from_nobody() -> None:
    """One is cancelled while the call is on its way: the other has its answer, and an error is nobody's surprise."""
    oracle = Oracle()
    together = Together(oracle.ask)
    oracle.may_answer.clear()
    first, second, third = (asyncio.create_task(together(one)) for one in ("a", "a", "b!"))
    await turns()
    first.cancel()
    third.cancel()
    await turns()
    oracle.may_answer.set()
    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await together("c") == 2
