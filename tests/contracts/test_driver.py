"""The driver's waits as we wait them: time limits, cancellations and lost connections end them as they end its own."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import urlsplit

import pymongo
import pytest
from pymongo.asynchronous import pool, topology
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import AutoReconnect, NetworkTimeout
from uuid_utils import uuid7

from server.storage import driver
from server.storage.database import database
from tests.support.deaf_proxy import deaf_proxy
from tests.support.waiting import wait_until

Rows = AsyncCollection[dict[str, Any]]
_SLOW = {"$where": "sleep(3000) || true"}
_topology: Any = topology
_pool: Any = pool


@pytest.fixture
async def rows(mongodb_url: str) -> AsyncGenerator[Rows]:
    """A collection of one row, on a client that asks once."""
    name = f"driver_{uuid7().hex}"
    async with database(f"{mongodb_url}&retryReads=false", name) as client:
        await client[name]["rows"].insert_one({"_id": "one"})
        yield client[name]["rows"]
        await client.drop_database(name)


async def slow(rows: Rows) -> asyncio.Task[Any]:
    """A read that takes three seconds, on its way."""
    task = asyncio.create_task(rows.find_one(_SLOW))
    running = {"command.find": rows.name, "ns": rows.full_name}

    async def asked() -> bool:
        found = await rows.database.client.admin.command({"currentOp": True, "$all": True, **running})
        return bool(found["inprog"])

    await wait_until(asked)
    return task


def test_the_driver_is_the_one_that_is_known() -> None:
    """Another version is to be looked at first, and `KNOWN` then moved."""
    assert driver.lighten()


async def test_a_wait_ends_with_its_time(mongodb_url: str) -> None:
    """The driver's own error, for an answer that never comes; the next command gets its own answer."""
    port = urlsplit(mongodb_url).port
    assert port is not None
    name = f"driver_{uuid7().hex}"
    async with deaf_proxy(port) as proxy:
        direct = f"mongodb://127.0.0.1:{proxy.listening}/?directConnection=true&retryReads=false"
        async with database(direct, name) as client:
            await client[name]["rows"].insert_one({"_id": "one"})
            assert proxy.deafen()
            async with asyncio.timeout(15):  # below the socket's own limit
                with pytest.raises(NetworkTimeout), pymongo.timeout(1):
                    await client[name]["rows"].find_one({})
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            assert await client[name]["rows"].find_one({}) == {"_id": "one"}
            await client.drop_database(name)


async def test_a_cancelled_wait_is_cancelled(rows: Rows) -> None:
    """At once; its answer is nobody's."""
    task = await slow(rows)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await rows.find_one({}) == {"_id": "one"}


async def test_a_connection_that_is_given_up_keeps_nobody(rows: Rows) -> None:
    """As the driver does when its monitor has lost the server; who waits is told that the connection is lost."""
    task = await slow(rows)
    topology: Any = rows.database.client._topology
    for server in topology._servers.values():
        for context in server.pool.active_contexts:
            context.cancel()
    with pytest.raises(AutoReconnect):
        await task
    assert await rows.find_one({}) == {"_id": "one"}


async def test_an_ended_wait_leaves_its_task_alone(rows: Rows) -> None:
    """Also where the task goes on for longer than the wait might have."""
    with pymongo.timeout(2):
        await rows.find_one({})
    await asyncio.sleep(2.5)
    assert await rows.find_one({}) == {"_id": "one"}


@pytest.mark.parametrize("waiting", [_topology, _pool], ids=["for a server", "for a connection"])
@pytest.mark.parametrize("pause", [0.0, 0.01])
async def test_who_is_cancelled_when_its_time_is_over_leaves_the_lock_alone(
    waiting: Any, pause: float
) -> None:
    """It wants the lock back, which another has: that one keeps it, and it is nobody's in the end."""
    driver.lighten()
    lock = waiting._async_create_lock()
    condition, waits = waiting._async_create_condition(lock), asyncio.Event()

    async def wait() -> None:
        async with lock:
            waits.set()
            await waiting._async_cond_wait(condition, 0.01)

    task = asyncio.create_task(wait())
    await waits.wait()
    async with lock:
        await asyncio.sleep(0.05)  # its time is over
        task.cancel()
        await asyncio.sleep(pause)
        assert not task.done()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(10), lock:
        pass
