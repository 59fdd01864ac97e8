"""The port of signals (`realtime.signals.contract`), on every engine."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from realtime.errors import Unavailable
from realtime.signals.contract import Signals
from tests.support.realtime_engines import Engine, redis_engine
from tests.support.waiting import wait_until

HELLO = "are you there?"


@asynccontextmanager
async def listener(signals: Signals, name: str) -> AsyncGenerator[list[str]]:
    """Listen while the body runs; what is heard."""
    heard: list[str] = []

    async def listen() -> None:
        async for value in signals.listen(name):
            heard.append(value)

    task = asyncio.create_task(listen())
    try:
        yield heard
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def attention(signals: Signals, name: str, *listeners: list[str]) -> None:
    """Repeat a greeting until all have heard it: a signal may be lost."""
    before = [len(heard) for heard in listeners]

    async def greeted() -> bool:
        await signals.send(name, HELLO)
        return all(len(heard) > count for heard, count in zip(listeners, before, strict=True))

    await wait_until(greeted)


def told(heard: list[str]) -> list[str]:
    """All but greetings."""
    return [value for value in heard if value != HELLO]


async def test_all_listeners_of_a_name_are_told(engine: Engine, name: str) -> None:
    """One to all, in the order in which they were sent, and nobody who listens to something else."""
    signals = engine.signals()
    async with (
        listener(signals, name) as one,
        listener(signals, name) as two,
        listener(signals, f"{name}-other") as other,
    ):
        await attention(signals, name, one, two)
        await attention(signals, f"{name}-other", other)
        for value in ("first", "ségundo 🦉"):
            await signals.send(name, value)

        async def all_told() -> bool:
            return len(told(one)) == len(told(two)) == 2

        await wait_until(all_told)
        assert told(one) == told(two) == ["first", "ségundo 🦉"]
        assert told(other) == []


async def test_houses_on_one_server_do_not_hear_each_other(redis_url: str, name: str) -> None:
    """Two that differ by their database alone: pub/sub would tell both."""
    server = f"redis://{urlsplit(redis_url).netloc}"
    async with (
        redis_engine(f"{server}/1001") as one,
        redis_engine(f"{server}/1002") as other,
        listener(one.signals(), name) as here,
        listener(other.signals(), name) as there,
    ):
        await attention(one.signals(), name, here)
        await attention(other.signals(), name, there)
        await one.signals().send(name, "for this house")
        await other.signals().send(name, "for the other")

        async def both_told() -> bool:
            return bool(told(here) and told(there))

        await wait_until(both_told)
        assert (told(here), told(there)) == (["for this house"], ["for the other"])


async def test_nobody_has_to_listen(engine: Engine, name: str) -> None:
    """A signal to nobody is no error."""
    await engine.signals().send(name, "anybody?")


async def test_a_cut_listener_listens_again(engine: Engine, name: str) -> None:
    """A lost connection is mended without a word to the listener."""
    signals = engine.signals()
    async with listener(signals, name) as heard:
        await attention(signals, name, heard)
        await engine.cut_feeds()
        await attention(signals, name, heard)


async def test_sending_is_unavailable_where_nothing_answers(absent: Engine, name: str) -> None:
    """A listener waits for the engine to come; who sends is told that it is away."""
    signals = absent.signals()
    async with listener(signals, name) as heard:
        with pytest.raises(Unavailable):
            await signals.send(name, "hello?")
        assert heard == []
