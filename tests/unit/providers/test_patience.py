"""One timer for many waits keeps each wait's own limit, and takes nobody else's cancellation for its own."""

import asyncio

import pytest

from providers.patience import Patience


async def test_a_wait_that_is_too_long_ends() -> None:
    """As with `asyncio.timeout_at`, also for a moment that has passed."""
    patience, clock = Patience(), asyncio.get_running_loop().time
    for moment in (clock() + 0.01, clock() - 1):
        with pytest.raises(TimeoutError), patience.until(moment):
            await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    patience.close()


async def test_each_wait_has_its_own_limit() -> None:
    """The timer rings for the first of them, and lets a later one go on; one that is nearer does not wait for it."""
    patience, clock = Patience(), asyncio.get_running_loop().time
    with patience.until(clock() + 0.01):
        await asyncio.sleep(0)
    with patience.until(clock() + 60):
        await asyncio.sleep(0.03)
    with pytest.raises(TimeoutError), patience.until(clock() + 0.01):
        await asyncio.Event().wait()
    patience.close()


async def test_nobody_is_ended_who_does_not_wait() -> None:
    """The time of a wait that is over may pass."""
    patience, clock = Patience(), asyncio.get_running_loop().time
    with patience.until(clock() + 0.01):
        await asyncio.sleep(0)
    await asyncio.sleep(0.03)
    with patience.until(clock() + 60):
        await asyncio.sleep(0)
    patience.close()


async def test_what_is_there_is_taken_though_the_time_is_over() -> None:
    """Only a wait can be too long."""
    patience = Patience()
    with patience.until(asyncio.get_running_loop().time() - 1):
        taken = 1
    await asyncio.sleep(0)
    assert taken
    patience.close()


async def test_a_cancellation_stays_one() -> None:
    """Whoever cancels the task is not told of a time limit, even if that passes at the same moment."""
    patience, clock = Patience(), asyncio.get_running_loop().time

    async def wait() -> None:
        with patience.until(clock() + 0.01):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    waiting = asyncio.create_task(wait())
    asyncio.get_running_loop().call_later(0.01, waiting.cancel)
    done, _ = await asyncio.wait([waiting])
    assert done == {waiting}
    assert waiting.cancelled() or isinstance(waiting.exception(), TimeoutError)
    patience.close()
