"""The port of the job queue (`realtime.queue.contract`), on every engine."""

import asyncio
import time
from dataclasses import replace

import pytest

from realtime.errors import Overloaded, Unavailable
from realtime.queue.contract import Job, Queue
from tests.support.realtime_engines import Engine
from tests.support.waiting import wait_until

SHORT = 0.3
"""Seconds of a lease that a test lets run out."""


async def given(queue: Queue, lane: str, *jobs: int | str, user: str = "ada") -> None:
    """Enqueue jobs of these names."""
    for job in jobs:
        assert await queue.enqueue(lane, str(job), user, {"n": str(job)})


async def claimed(queue: Queue, consumer: str, lane: str, count: int = 1) -> list[Job]:
    """Claim until there is something to do."""
    jobs: list[Job] = []

    async def some() -> bool:
        jobs.extend(await queue.claim(consumer, lane, count, 0.05))
        return bool(jobs)

    await wait_until(some)
    return jobs


def names(jobs: list[Job]) -> list[str]:
    """What the jobs are called."""
    return [job.id for job in jobs]


async def test_jobs_come_in_order_each_to_one(engine: Engine, name: str) -> None:
    """Each is given to one worker, in the order in which they came; the depth tells who waits and who works."""
    queue = engine.queue()
    await given(queue, name, 0, 1, 2, 3, 4)
    assert names(await queue.claim("a", name, 2, 1)) == ["0", "1"]
    assert await queue.depth(name) == (3, 2)
    await given(queue, name, 5)
    assert names(await queue.claim("b", name, 10, 1)) == ["2", "3", "4", "5"]
    assert await queue.depth(name) == (0, 6)


async def test_a_job_arrives_as_it_was(engine: Engine, name: str) -> None:
    """Strings of any code points; the first delivery says that it is one."""
    queue = engine.queue()
    payload = {"reply": "msg_1", "ñ": "🦉 \n"}
    await queue.enqueue(name, "j", "Zoë", payload)
    [job] = await queue.claim("a", name, 1, 1)
    assert (job.id, job.user, job.payload, job.lane, job.deliveries) == ("j", "Zoë", payload, name, 1)


async def test_a_job_is_given_once(engine: Engine, name: str) -> None:
    """Given again while it waits, while it is worked on, or while it is dead, it is the same job."""
    queue = engine.queue()
    await given(queue, name, "j")
    assert not await queue.enqueue(name, "j", "ada", {})
    [job] = await queue.claim("a", name, 2, 1)
    assert not await queue.enqueue(name, "j", "ada", {})
    await queue.bury("a", job, "hopeless")
    assert not await queue.enqueue(name, "j", "ada", {})
    assert await queue.claim("b", name, 2, 0) == []


async def test_users_take_turns(engine: Engine, name: str) -> None:
    """Somebody's many jobs do not keep others waiting: one each, and each user's own in their order."""
    queue = engine.queue()
    await given(queue, name, *(f"a{n}" for n in range(50)), user="ada")
    await given(queue, name, "b0", "b1", user="bob")
    await given(queue, name, "c0", user="cyd")
    order = names(await queue.waiting(name, 7))
    jobs = await queue.claim("w", name, 7, 1)
    assert names(jobs) == order
    assert order == ["a0", "a1", "b0", "c0", "a2", "b1", "a3"]


async def test_a_place_is_the_number_of_turns_before(engine: Engine, name: str) -> None:
    """What `place` promises is where the job then stands: for those who have many waiting, and for those with none."""
    queue = engine.queue()
    users = ["ada", "bob", "ada", "ada", "cyd", "bob", "ada", "dan", "cyd", "ada", "bob", "ada"]
    for number, user in enumerate(users):
        place = await queue.place(name, user)
        await given(queue, name, number, user=user)
        assert names(await queue.waiting(name, 100)).index(str(number)) + 1 == place


async def test_lanes_do_not_know_one_another(engine: Engine, name: str) -> None:
    """A lane that is full, or whose jobs nobody takes, holds up no other."""
    queue, other = engine.queue(max_depth=1), f"{name}-other"
    await given(queue, name, "j")
    assert await queue.place(other, "ada") == 1
    await given(queue, other, "j")
    [job] = await queue.claim("a", other, 5, 1)
    assert job.lane == other
    assert {name, other} <= set(await queue.lanes())


async def test_a_worker_waits_for_a_job(engine: Engine, name: str) -> None:
    """`claim` returns when there is something to do, without being asked again."""
    queue = engine.queue()
    waiting = asyncio.create_task(queue.claim("a", name, 1, 4))
    await asyncio.sleep(0)
    await given(queue, name, 7)
    [job] = await waiting or await claimed(queue, "a", name)
    assert (job.id, job.user, job.payload, job.deliveries) == ("7", "ada", {"n": "7"}, 1)


@pytest.mark.parametrize("wait_seconds", [0, 0.0001])
async def test_nothing_to_do_and_no_time_to_wait(engine: Engine, name: str, wait_seconds: float) -> None:
    """Who does not want to wait is answered at once, in an old lane as in a new one."""
    queue = engine.queue()
    async with asyncio.timeout(4):  # not two waits as long as an engine lets anybody wait
        assert await queue.claim("a", name, 1, wait_seconds) == []
        assert await queue.claim("a", name, 1, wait_seconds) == []


async def test_a_long_wait_is_no_failure(engine: Engine, name: str) -> None:
    """Somebody who would wait for longer than an engine may take to answer gets nothing, and not `Unavailable`."""
    queue = engine.queue()
    assert await queue.claim("a", name, 1, 60) == []


async def test_a_lane_tells_what_it_lacks(engine: Engine, name: str) -> None:
    """What waits, is worked on or is dead is there; what is finished, or was lost, is not."""
    queue = engine.queue()
    assert await queue.missing(name, []) == set()
    assert await queue.missing(name, ["0", "1"]) == {"0", "1"}
    await given(queue, name, *range(4))
    first, second, _ = await queue.claim("a", name, 3, 1)
    await queue.finish("a", first)
    await queue.bury("a", second, "hopeless")
    everything = ["0", "1", "2", "3"]
    assert await queue.missing(name, everything) == {"0"}
    await engine.empty(name)
    assert await queue.missing(name, everything) == set(everything)


async def test_a_finished_job_never_comes_again(engine: Engine, name: str) -> None:
    """It is neither waiting nor worked on, even when its lease would have run out."""
    queue = engine.queue(lease_seconds=0)
    await given(queue, name, 0)
    [job] = await queue.claim("a", name, 1, 1)
    assert await queue.finish("a", job)
    assert not await queue.finish("a", job)
    assert await queue.claim("b", name, 1, 0) == []
    assert await queue.depth(name) == (0, 0)


async def test_a_silent_workers_job_is_given_to_another(engine: Engine, name: str) -> None:
    """After the lease the next who asks gets it, and each time is counted."""
    queue = engine.queue(lease_seconds=SHORT)
    await given(queue, name, 0)
    [job] = await queue.claim("dead", name, 1, 1)
    for deliveries in (2, 3):
        [again] = await claimed(queue, f"alive-{deliveries}", name)
        assert (again.id, again.payload, again.deliveries) == (job.id, job.payload, deliveries)
    assert await queue.depth(name) == (0, 1)


async def test_who_was_thought_dead_settles_nothing(engine: Engine, name: str) -> None:
    """A worker whose job was taken over can neither finish, give back, bury nor keep it."""
    queue = engine.queue(lease_seconds=SHORT)
    await given(queue, name, 0)
    [job] = await queue.claim("frozen", name, 1, 1)
    [taken] = await claimed(queue, "alive", name)
    assert not await queue.finish("frozen", job)
    assert not await queue.retry("frozen", job, 0, "no")
    assert not await queue.bury("frozen", job, "no")
    assert not await queue.note("frozen", job, "no")
    assert await queue.renew("frozen", [job]) == [job]
    assert await queue.renew("alive", [taken]) == []
    assert await queue.finish("alive", taken)


async def test_word_is_left_for_whoever_comes_after(engine: Engine, name: str) -> None:
    """A note goes with the job to the next who has it, by whatever way."""
    queue = engine.queue(lease_seconds=SHORT)
    await given(queue, name, 0)
    [job] = await queue.claim("a", name, 1, 1)
    assert job.note == ""
    assert await queue.note("a", job, "¡hecho!")
    [taken] = await claimed(queue, "b", name)
    assert taken.note == "¡hecho!"
    assert await queue.retry("b", taken, 0, "")
    [again] = await claimed(queue, "c", name)
    assert again.note == "¡hecho!"


async def test_a_renewed_lease_holds(engine: Engine, name: str) -> None:
    """What is still worked on stays where it is; a neighbour's, given up, goes to another."""
    queue = engine.queue(lease_seconds=1.0)
    await given(queue, name, 0, 1)
    [kept] = await queue.claim("a", name, 1, 1)
    [left] = await queue.claim("b", name, 1, 1)
    taken: list[Job] = []

    async def taken_over() -> bool:
        assert await queue.renew("a", [kept]) == []
        taken.extend(await queue.claim("c", name, 5, 0))
        return bool(taken)

    await wait_until(taken_over)
    assert names(taken) == [left.id]


async def test_many_that_work_do_not_hide_one_that_died(engine: Engine, name: str) -> None:
    """A job that was left behind is found behind any number of older jobs that are still worked on."""
    queue = engine.queue(lease_seconds=1.0)
    await given(queue, name, *range(60))
    kept = await queue.claim("busy", name, 59, 1)
    await queue.claim("dead", name, 1, 1)
    taken: list[Job] = []

    async def taken_over() -> bool:
        await queue.renew("busy", kept)
        taken.extend(await queue.claim("alive", name, 1, 0))
        return bool(taken)

    await wait_until(taken_over)
    assert names(taken) == ["59"]


async def test_renewing_what_is_finished_brings_nothing_back(engine: Engine, name: str) -> None:
    """A lease that is renewed just after the end of its job changes nothing, and is told to be lost."""
    queue = engine.queue()
    await given(queue, name, 0)
    jobs = await queue.claim("a", name, 1, 1)
    await queue.finish("a", jobs[0])
    assert await queue.renew("a", jobs) == jobs
    assert await queue.renew("a", []) == []
    assert await queue.depth(name) == (0, 0)


async def test_a_job_is_tried_again_after_a_while(engine: Engine, name: str) -> None:
    """Not before its time; its deliveries are counted on, but for those that shall not count."""
    queue = engine.queue()
    await given(queue, name, 0)
    [job] = await queue.claim("a", name, 1, 1)
    began = time.monotonic()
    assert await queue.retry("a", job, SHORT, "it rained")
    assert await queue.depth(name) == (1, 0)
    [listed] = await queue.jobs(name)
    assert (listed.state, listed.reason, listed.deliveries) == ("later", "it rained", 1)
    [again] = await claimed(queue, "b", name)
    assert time.monotonic() - began >= SHORT * 0.9
    assert again.deliveries == 2
    assert await queue.retry("b", again, 0, "it still rains", counts=False)
    assert [job.deliveries for job in await claimed(queue, "c", name)] == [2]


async def test_a_dead_job_stays_to_be_looked_at(engine: Engine, name: str) -> None:
    """It takes no room and nobody gets it, until somebody revives it: then it counts from the beginning."""
    queue = engine.queue(max_depth=1)
    await given(queue, name, 0)
    [job] = await queue.claim("a", name, 1, 1)
    assert await queue.bury("a", job, "hopeless")
    assert await queue.depth(name) == (0, 0)
    assert await queue.claim("a", name, 1, 0) == []
    assert await queue.place(name, "ada") == 1
    [listed] = await queue.jobs(name)
    assert (listed.id, listed.state, listed.reason, listed.user) == ("0", "dead", "hopeless", "ada")
    assert abs(listed.since - time.time()) < 60
    assert await queue.revive(name, "0")
    assert not await queue.revive(name, "0")
    assert [job.deliveries for job in await queue.claim("a", name, 1, 1)] == [1]


async def test_a_dead_job_keeps_what_it_is_buried_with(engine: Engine, name: str) -> None:
    """The rest of its payload, and its note, are gone, also for whoever has it when it is revived."""
    queue = engine.queue()
    await queue.enqueue(name, "j", "ada", {"n": "0", "text": "private words"})
    [job] = await queue.claim("a", name, 1, 1)
    await queue.note("a", job, "private answer")
    assert await queue.bury("a", replace(job, payload={"n": "0"}), "hopeless")
    assert [listed.payload for listed in await queue.jobs(name)] == [{"n": "0"}]
    assert await queue.revive(name, "j")
    [again] = await queue.claim("a", name, 1, 1)
    assert (again.payload, again.note) == ({"n": "0"}, "")


async def test_a_job_is_dropped_wherever_it_is(engine: Engine, name: str) -> None:
    """Waiting, worked on, to be tried later, or dead; whoever had it is told so."""
    queue = engine.queue()
    await given(queue, name, "working", "later", "dead")
    working, later, dead = await queue.claim("a", name, 3, 1)
    await queue.retry("a", later, 60, "no")
    await queue.bury("a", dead, "no")
    await given(queue, name, "door", "waiting")
    states = {job.id: job.state for job in await queue.jobs(name)}
    assert states == {
        "working": "working",
        "later": "later",
        "dead": "dead",
        "door": "waiting",
        "waiting": "waiting",
    }
    for job in states:
        assert await queue.drop(name, job)
        assert not await queue.drop(name, job)
    assert await queue.renew("a", [working]) == [working]
    assert await queue.jobs(name) == []
    assert await queue.depth(name) == (0, 0)
    assert await queue.claim("a", name, 5, 0) == []


async def test_a_full_lane_refuses_before_a_promise(engine: Engine, name: str) -> None:
    """The bound counts what waits and what is worked on; finishing makes room; what was promised is taken."""
    queue = engine.queue(max_depth=2)
    await given(queue, name, 0, 1)
    with pytest.raises(Overloaded):
        await queue.place(name, "ada")
    await given(queue, name, "promised before")
    jobs = await queue.claim("a", name, 2, 1)
    for job in jobs:
        await queue.finish("a", job)
    assert await queue.place(name, "ada") == 2


async def test_a_lane_without_a_worker_is_known(engine: Engine, name: str) -> None:
    """Whoever serves a lane says so."""
    queue = engine.queue()
    assert not await queue.is_served(name)
    await queue.serve("a", [name])
    assert await queue.is_served(name)


async def test_an_emptied_queue_goes_on(engine: Engine, name: str) -> None:
    """What waited is lost, and the store knows it; what is worked on stays in the hands that it is in."""
    queue = engine.queue(lease_seconds=SHORT)
    await given(queue, name, 0, 1)
    [job] = await queue.claim("a", name, 1, 1)
    await engine.empty(name)
    await given(queue, name, 2, 3)
    assert await queue.renew("a", [job]) == []
    assert await queue.missing(name, ["0", "1"]) == {"1"}
    assert names(await queue.waiting(name, 5)) == ["2", "3"]
    assert names(await claimed(queue, "b", name, 2)) in (["2", "3"], ["0", "2"])
    await queue.renew("a", [job])
    await queue.finish("a", job)


async def test_a_queue_that_is_emptied_under_a_waiting_worker_goes_on(engine: Engine, name: str) -> None:
    """The worker that waited comes back with nothing, and gets the next job."""
    queue = engine.queue()
    await queue.claim("a", name, 1, 0)
    waiting = asyncio.create_task(queue.claim("a", name, 1, 4))
    await asyncio.sleep(0)
    await engine.empty(name)
    await given(queue, name, 1)
    assert names(await waiting or await claimed(queue, "a", name)) == ["1"]


async def test_everything_is_unavailable_where_nothing_answers(absent: Engine, name: str) -> None:
    """An engine that is away is `Unavailable`, and never an error of the engine's own."""
    queue = absent.queue()
    job = Job("j", name, "ada", {})
    asked = (queue.enqueue(name, "j", "ada", {}), queue.claim("a", name, 1, 0), queue.depth(name))
    settled = (
        queue.renew("a", [job]),
        queue.finish("a", job),
        queue.retry("a", job, 1, ""),
        queue.jobs(name),
    )
    looked = (queue.place(name, "ada"), queue.missing(name, ["j"]), queue.waiting(name, 1), queue.lanes())
    for call in (*asked, *settled, *looked, queue.serve("a", [name]), queue.is_served(name)):
        with pytest.raises(Unavailable):
            await call
