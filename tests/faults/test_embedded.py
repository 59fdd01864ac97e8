"""Embedded engines that crash, and runs that are killed: nothing stays behind, and nothing is lost."""

import os
import signal
import sys
from pathlib import Path

import anyio
import httpx2
import psutil
import pytest
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from server.embedded.engines import EngineURLs
from tests.support.engine_run import EngineRun, engine_run
from tests.support.family import descendants, until_all_gone
from tests.support.waiting import wait_until

FAMILY = """
import asyncio, pathlib, sys
from server.embedded.child import Child, Program

WORKERS = "import os, time; open('ready', 'w').close(); os.fork(); os.fork(); time.sleep(600)"

async def ready():
    return pathlib.Path("ready").exists()

async def main():
    program = Program(name="web", argv=[sys.executable, "-c", WORKERS], log=pathlib.Path("log"), ready=ready)
    async with Child(program, print) as child:
        await child.wait_ready()
        await asyncio.sleep(600)

asyncio.run(main())
"""


def named(run: EngineRun, name: str) -> psutil.Process:
    """The one process below a run that executes the named program."""
    return next(process for process in descendants(run.process.pid) if process.name() == name)


async def write(urls: EngineURLs, note: str) -> None:
    """Leave a note in both databases, each acknowledged as durably as it can be."""
    assert urls.mongodb
    assert urls.redis
    async with AsyncMongoClient(urls.mongodb, w="majority") as mongodb, Redis.from_url(urls.redis) as redis:
        await mongodb.fault.notes.insert_one({"_id": note})
        await redis.sadd("notes", note)
        await redis.waitaof(1, 0, 5000)


async def read(urls: EngineURLs) -> tuple[set[str], set[str]]:
    """The notes in the two databases."""
    assert urls.mongodb
    assert urls.redis
    async with AsyncMongoClient(urls.mongodb) as mongodb, Redis.from_url(urls.redis) as redis:
        stored = {note["_id"] async for note in mongodb.fault.notes.find()}
        return stored, {note.decode() for note in await redis.smembers("notes")}


async def test_data_outlives_stops_and_kills(tmp_path: Path) -> None:
    """Three runs on one folder, each on other ports: one stopped, one killed, and the third has it all."""
    data_dir = tmp_path / "data"
    with engine_run(data_dir, "mongodb", "valkey") as run:
        await write(run.urls, "before a stop")
    first = run.urls
    with engine_run(data_dir, "mongodb", "valkey") as run:
        assert run.urls != first
        await write(run.urls, "before a kill")
        family = descendants(run.process.pid)
        run.process.kill()
        await until_all_gone(family)
    with engine_run(data_dir, "mongodb", "valkey") as run:
        notes = {"before a stop", "before a kill"}
        assert await read(run.urls) == (notes, notes)


async def test_a_kill_leaves_no_process(tmp_path: Path) -> None:
    """`kill -9` of a parent ends its children, and the children that these had started."""
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    async with await anyio.open_process(
        [sys.executable, "-c", FAMILY], cwd=tmp_path, env=environment
    ) as parent:
        family: list[psutil.Process] = []

        async def complete() -> bool:
            family[:] = psutil.Process(parent.pid).children(recursive=True)
            # A guard, the program, and the three that two forks make of it.
            return len(family) == 5

        await wait_until(complete)
        parent.kill()
        await until_all_gone(family)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_the_model_ends_in_the_middle_of_an_answer(tmp_path: Path, number: signal.Signals) -> None:
    """A generating model ends with its run, whether that is asked to stop or killed."""
    with engine_run(tmp_path / "data", "model") as run:
        assert run.urls.model
        family = descendants(run.process.pid)
        request = {"prompt": "Once", "ignore_eos": True, "stream": True}
        async with (
            httpx2.AsyncClient(trust_env=False, timeout=30) as client,
            client.stream("POST", f"{run.urls.model}/completions", json=request) as answer,
        ):
            words = answer.aiter_lines()
            await anext(words)
            run.process.send_signal(number)
            await until_all_gone(family)
            with pytest.raises(httpx2.RemoteProtocolError):
                async for _ in words:
                    pass


async def test_crashes_are_mended_and_said(tmp_path: Path) -> None:
    """A killed Valkey and a killed mongod come back under the same URLs, with what they held."""
    with engine_run(tmp_path / "data", "mongodb", "valkey") as run:
        await write(run.urls, "before a crash")
        for name in ("valkey-server", "mongod"):
            named(run, name).kill()

        async def both_are_back() -> bool:
            return all(run.said.count(f"{name}: ready in") == 2 for name in ("valkey", "mongod"))

        await wait_until(both_are_back)
        for name in ("valkey", "mongod"):
            assert f"{name}: was ended by SIGKILL; starting again in" in run.said
        assert await read(run.urls) == ({"before a crash"}, {"before a crash"})


async def test_a_second_run_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    """It ends with the pid of the first, which goes on undisturbed."""
    with engine_run(tmp_path / "data", "valkey") as run:
        refusal = f"DataDirInUse.* in use by process {run.process.pid}"
        with pytest.raises(AssertionError, match=refusal), engine_run(tmp_path / "data", "valkey"):
            pass
        assert run.process.poll() is None
        assert descendants(run.process.pid)
