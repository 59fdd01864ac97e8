"""The port of the job queue (`realtime.queue.contract`), on every engine."""

import asyncio

import pytest

from realtime.errors import Overloaded, Unavailable
from realtime.queue.contract import Job, Queue
from tests.support.realtime_engines import Engine
from tests.support.waiting import wait_until

SHORT = 0.3
"""Seconds of a lease that a test lets run out."""


async def claimed(queue: Queue, consumer: str, lane: str, count: int = 1) -> list[Job]:
    """Claim until somebody has something to do."""
    jobs: list[Job] = []

    async def some() -> bool:
        jobs.extend(await queue.claim(consumer, [lane], count, 0.05))
        return bool(jobs)

    await wait_until(some)
    return jobs


def numbers(jobs: list[Job]) -> list[int]:
    """What the jobs say."""
    return [int(job.payload["n"]) for job in jobs]


async def test_jobs_come_in_order_each_to_one(engine: Engine, name: str) -> None:
    """A job's place counts those that wait before it; each is given to one worker, in the order they came."""
    queue = engine.queue()
    assert [await queue.enqueue(name, {"n": str(n)}) for n in range(5)] == [1, 2, 3, 4, 5]
    assert numbers(await queue.claim("a", [name], 2, 1)) == [0, 1]
    assert await queue.depth(name) == (3, 2)
    assert await queue.enqueue(name, {"n": "5"}) == 4
    assert numbers(await queue.claim("b", [name], 10, 1)) == [2, 3, 4, 5]
    assert await queue.depth(name) == (0, 6)


async def test_a_payload_arrives_as_it_was(engine: Engine, name: str) -> None:
    """Strings of any code points; the first delivery says that it is one."""
    queue = engine.queue()
    payload = {"reply": "msg_1", "ñ": "🦉 \n"}
    await queue.enqueue(name, payload)
    [job] = await queue.claim("a", [name], 1, 1)
    assert (job.payload, job.lane, job.deliveries) == (payload, name, 1)


async def test_a_worker_waits_for_a_job(engine: Engine, name: str) -> None:
    """`claim` returns when there is something to do, without being asked again."""
    queue = engine.queue()
    waiting = asyncio.create_task(queue.claim("a", [name], 1, 4))
    await asyncio.sleep(0)
    await queue.enqueue(name, {"n": "7"})
    jobs = await waiting or await claimed(queue, "a", name)
    assert numbers(jobs) == [7]


@pytest.mark.parametrize("wait_seconds", [0, 0.0001])
async def test_nothing_to_do_and_no_time_to_wait(engine: Engine, name: str, wait_seconds: float) -> None:
    """Who does not want to wait is answered at once, in an old lane as in a new one."""
    queue = engine.queue()
    async with asyncio.timeout(2):
        assert await queue.claim("a", [name], 1, wait_seconds) == []
        assert await queue.claim("a", [name], 1, wait_seconds) == []


async def test_a_long_wait_is_no_failure(engine: Engine, name: str) -> None:
    """Somebody who would wait for longer than an engine may take to answer gets nothing, and not `Unavailable`."""
    queue = engine.queue()
    await queue.claim("a", [name], 1, 0)
    assert await queue.claim("a", [name], 1, 60) == []


async def test_a_lane_tells_what_it_holds(engine: Engine, name: str) -> None:
    """What waits and what is worked on, however many; nothing of what is finished, or was lost."""
    queue = engine.queue()
    assert await queue.payloads(name) == []
    for n in range(1005):
        await queue.enqueue(name, {"n": str(n)})
    for job in await queue.claim("a", [name], 2, 1):
        if job.payload["n"] == "0":
            await queue.finish(job)
    assert [int(payload["n"]) for payload in await queue.payloads(name)] == list(range(1, 1005))
    await engine.empty(name)
    assert await queue.payloads(name) == []


async def test_a_finished_job_never_comes_again(engine: Engine, name: str) -> None:
    """It is neither waiting nor worked on, even when its lease would have run out."""
    queue = engine.queue(lease_seconds=0)
    await queue.enqueue(name, {"n": "0"})
    [job] = await queue.claim("a", [name], 1, 1)
    await queue.finish(job)
    await queue.finish(job)
    assert await queue.claim("b", [name], 1, 0) == []
    assert await queue.depth(name) == (0, 0)


async def test_a_silent_workers_job_is_given_to_another(engine: Engine, name: str) -> None:
    """At least once: after the lease the next who asks gets it, and is told that it is not the first."""
    queue = engine.queue(lease_seconds=SHORT)
    await queue.enqueue(name, {"n": "0"})
    [job] = await queue.claim("dead", [name], 1, 1)
    [again] = await claimed(queue, "alive", name)
    assert again.payload == job.payload
    assert again.deliveries > 1
    assert await queue.depth(name) == (0, 1)


async def test_a_renewed_lease_holds(engine: Engine, name: str) -> None:
    """What is still worked on stays where it is; a neighbour's, given up, goes to another."""
    queue = engine.queue(lease_seconds=1.0)
    for n in range(2):
        await queue.enqueue(name, {"n": str(n)})
    [kept] = await queue.claim("a", [name], 1, 1)
    [left] = await queue.claim("b", [name], 1, 1)
    taken: list[Job] = []

    async def taken_over() -> bool:
        await queue.renew("a", [kept])
        taken.extend(await queue.claim("c", [name], 5, 0))
        return bool(taken)

    await wait_until(taken_over)
    assert numbers(taken) == numbers([left])


async def test_many_that_work_do_not_hide_one_that_died(engine: Engine, name: str) -> None:
    """A job that was left behind is found behind any number of older jobs that are still worked on."""
    queue = engine.queue(lease_seconds=1.0)
    for n in range(60):
        await queue.enqueue(name, {"n": str(n)})
    kept = await queue.claim("busy", [name], 59, 1)
    await queue.claim("dead", [name], 1, 1)
    taken: list[Job] = []

    async def taken_over() -> bool:
        await queue.renew("busy", kept)
        taken.extend(await queue.claim("alive", [name], 1, 0))
        return bool(taken)

    await wait_until(taken_over, within=10)
    assert numbers(taken) == [59]


async def test_renewing_what_is_finished_brings_nothing_back(engine: Engine, name: str) -> None:
    """A lease that is renewed just after the end of its job changes nothing."""
    queue = engine.queue()
    await queue.enqueue(name, {"n": "0"})
    jobs = await queue.claim("a", [name], 1, 1)
    await queue.finish(jobs[0])
    await queue.renew("a", jobs)
    await queue.renew("a", [])
    assert await queue.depth(name) == (0, 0)


async def test_a_full_lane_refuses(engine: Engine, name: str) -> None:
    """The bound counts what waits and what is worked on; finishing makes room."""
    queue = engine.queue(max_depth=2)
    for n in range(2):
        await queue.enqueue(name, {"n": str(n)})
    with pytest.raises(Overloaded):
        await queue.enqueue(name, {"n": "2"})
    [job] = await queue.claim("a", [name], 1, 1)
    with pytest.raises(Overloaded):
        await queue.enqueue(name, {"n": "2"})
    await queue.finish(job)
    assert await queue.enqueue(name, {"n": "2"}) == 2


async def test_an_emptied_queue_goes_on(engine: Engine, name: str) -> None:
    """Its jobs are lost, and the store knows what is owed; whoever still holds one may renew and finish it."""
    queue = engine.queue()
    await queue.enqueue(name, {"n": "0"})
    [job] = await queue.claim("a", [name], 1, 1)
    await engine.empty(name)
    await queue.renew("a", [job])
    await queue.finish(job)
    assert await queue.depth(name) == (0, 0)
    assert await queue.claim("a", [name], 1, 0) == []
    assert await queue.enqueue(name, {"n": "1"}) == 1
    assert numbers(await claimed(queue, "a", name)) == [1]


async def test_a_queue_that_is_emptied_under_a_waiting_worker_goes_on(engine: Engine, name: str) -> None:
    """The worker that waited comes back with nothing, and gets the next job."""
    queue = engine.queue()
    await queue.claim("a", [name], 1, 0)
    waiting = asyncio.create_task(queue.claim("a", [name], 1, 4))
    await asyncio.sleep(0)
    await engine.empty(name)
    await queue.enqueue(name, {"n": "1"})
    assert numbers(await waiting or await claimed(queue, "a", name)) == [1]


async def test_everything_is_unavailable_where_nothing_answers(absent: Engine, name: str) -> None:
    """An engine that is away is `Unavailable`, and never an error of the engine's own."""
    queue = absent.queue()
    job = Job("1-0", name, {})
    calls = (queue.enqueue(name, {"n": "0"}), queue.claim("a", [name], 1, 0), queue.depth(name))
    for call in (*calls, queue.renew("a", [job]), queue.finish(job)):
        with pytest.raises(Unavailable):
            await call
