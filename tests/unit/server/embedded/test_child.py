"""A supervised child process, played by small Python programs."""

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from server.embedded.child import Child, Program, pause
from server.embedded.errors import ChildFailed
from tests.support.waiting import wait_until

RUN = "open('ready', 'w').close(); time.sleep(60)"
"""Becomes ready, and stays."""


def program(folder: Path, code: str, **more: Any) -> Program:
    """A program that runs `code` in `folder`, and is ready when it has made the file `ready` there."""
    made = folder / "ready"

    async def ready() -> bool:
        return made.exists()

    code = f"import os, signal, subprocess, sys, time; os.chdir({str(folder)!r}); {code}"
    given = {"name": "toy", "argv": [sys.executable, "-c", code], "log": folder / "toy.log", "ready": ready}
    return Program(**given | {"prepare": lambda: made.unlink(missing_ok=True)} | more)


async def until_gone(pid: int) -> None:
    """Wait until no process has this id; one that only waits to be reaped is gone."""

    async def gone() -> bool:
        return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE

    await wait_until(gone)


def content(path: Path) -> str:
    """What is written in a file so far; nothing when it is not there."""
    return path.read_text() if path.exists() else ""


async def until_file(path: Path) -> str:
    """Wait until a file has something in it; returns that."""

    async def written() -> bool:
        return bool(content(path))

    await wait_until(written)
    return content(path)


async def test_lives_as_long_as_its_context(tmp_path: Path) -> None:
    """Ready inside the context, gone after it, and both are said."""
    said: list[str] = []
    async with Child(program(tmp_path, RUN), said.append) as child:
        await child.wait_ready()
        assert psutil.pid_exists(child.pid)
    assert not psutil.pid_exists(child.pid)
    assert said[0] == "toy: starting"
    assert said[1].startswith("toy: ready in ")
    assert said[-1] == "toy: stopped"


async def test_starts_again_after_a_crash(tmp_path: Path) -> None:
    """A killed program comes back under the same name, and how it ended is said."""
    said: list[str] = []
    async with Child(program(tmp_path, RUN), said.append, chance=lambda: 0.0) as child:
        await child.wait_ready()
        first = child.pid
        os.kill(first, signal.SIGKILL)

        async def again() -> bool:
            return child.starts == 2 and sum("ready in" in line for line in said) == 2

        await wait_until(again)
        assert child.pid != first
    assert any("was ended by SIGKILL; starting again in 0.1 s" in line for line in said)


async def test_what_a_killed_life_left_makes_none_ready(tmp_path: Path) -> None:
    """The next one is ready when it says so itself."""
    (tmp_path / "go").touch()
    said: list[str] = []
    code = f"\nwhile not os.path.exists('go'): time.sleep(0.01)\n{RUN}"
    async with Child(program(tmp_path, code), said.append, chance=lambda: 0.0) as child:
        await child.wait_ready()
        (tmp_path / "go").unlink()
        os.kill(child.pid, signal.SIGKILL)

        async def again() -> bool:
            return child.starts == 2

        await wait_until(again)
        assert not (tmp_path / "ready").exists()
        (tmp_path / "go").touch()

        async def ready_again() -> bool:
            return sum("ready in" in line for line in said) == 2

        await wait_until(ready_again)


async def test_a_crash_takes_its_own_children_along(tmp_path: Path) -> None:
    """What a program started does not stay behind when it dies and is started again."""
    nap = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    code = f"open('pid', 'w').write(str(subprocess.Popen({nap}).pid)); {RUN}"
    async with Child(program(tmp_path, code), print) as child:
        await child.wait_ready()
        grandchild = int(await until_file(tmp_path / "pid"))
        os.kill(child.pid, signal.SIGKILL)
        await until_gone(grandchild)


async def test_death_before_readiness_tells_the_last_words(tmp_path: Path) -> None:
    """A program that ends before it is ready is not tried again; its log and the mend are in the error."""
    (tmp_path / "toy.log").write_text("from another life\n")
    toy = program(tmp_path, "sys.exit('no libtoy here')", mends={"libtoy": "Install libtoy."})
    with pytest.raises(ChildFailed) as caught:
        async with Child(toy, print) as child:
            await child.wait_ready()
    assert caught.value.tail == "no libtoy here"
    assert "toy ended with code 1" in str(caught.value)
    assert str(caught.value).endswith("Install libtoy.")
    assert child.starts == 1


async def test_silence_before_readiness_has_a_limit(tmp_path: Path) -> None:
    """A program that never becomes ready is killed when its time is up."""
    with pytest.raises(ChildFailed, match="was not ready within 0 s"):
        async with Child(program(tmp_path, "time.sleep(60)", start_within=0.2), print) as child:
            await child.wait_ready()
    assert not psutil.pid_exists(child.pid)


async def test_a_program_that_does_not_exist(tmp_path: Path) -> None:
    """What cannot even be started is the same kind of failure."""
    with pytest.raises(ChildFailed, match="cannot be started"):
        async with Child(program(tmp_path, "", argv=[str(tmp_path / "nothing")]), print):
            pass


async def test_a_graceful_stop_is_waited_for(tmp_path: Path) -> None:
    """The stop signal comes first, and the program may take its time within the limit."""
    bye = "(time.sleep(0.3), open('bye', 'w').close(), sys.exit())"
    code = f"signal.signal(signal.SIGINT, lambda *_: {bye}); {RUN}"
    async with Child(program(tmp_path, code, stop_signal=signal.SIGINT), print) as child:
        await child.wait_ready()
    assert (tmp_path / "bye").exists()


async def test_a_stubborn_program_is_killed_with_its_children(tmp_path: Path) -> None:
    """One that ignores the signal, and what it started, are killed at the limit, which is said."""
    said: list[str] = []
    fork = "pid = os.fork(); pid and open('pid', 'w').write(str(pid))"
    code = f"signal.signal(signal.SIGTERM, signal.SIG_IGN); {fork}; {RUN}"
    async with Child(program(tmp_path, code, stop_within=0.2), said.append) as child:
        await child.wait_ready()
        grandchild = int(await until_file(tmp_path / "pid"))
    assert not psutil.pid_exists(child.pid)
    await until_gone(grandchild)
    assert said[-1] == "toy: did not stop within 0 s, killed"


async def test_several_stop_in_order(tmp_path: Path) -> None:
    """The last one started is stopped first, and has ended before the next is asked."""
    code = (
        "signal.signal(signal.SIGTERM, lambda *_: (open('../ends', 'a').write(sys.argv[1]), sys.exit())); "
        + RUN
    )
    async with AsyncExitStack() as stack:
        for name in "abc":
            (tmp_path / name).mkdir()
            toy = program(tmp_path / name, code)
            toy = program(tmp_path / name, code, argv=[*toy.argv, name])
            child = await stack.enter_async_context(Child(toy, print))
            await child.wait_ready()
    assert (tmp_path / "ends").read_text() == "cba"


async def test_an_error_of_the_body_comes_out_as_it_is(tmp_path: Path) -> None:
    """The context wraps nothing, so that callers catch what was raised."""
    with pytest.raises(KeyError):
        async with Child(program(tmp_path, RUN), print):
            raise KeyError


async def test_may_be_left_by_another_task(tmp_path: Path) -> None:
    """Whoever starts several at once in a task of its own may stop them from outside it."""
    async with AsyncExitStack() as stack:
        child = await asyncio.create_task(stack.enter_async_context(Child(program(tmp_path, RUN), print)))
        await child.wait_ready()
    assert not psutil.pid_exists(child.pid)


async def test_a_broken_probe_is_told(tmp_path: Path) -> None:
    """A probe that raises is a mistake of its author, who hears of it, and the program ends."""

    async def broken() -> bool:
        raise ZeroDivisionError

    child = Child(program(tmp_path, RUN, ready=broken), print)
    with pytest.RaisesGroup(ZeroDivisionError):
        async with child:
            await child.wait_ready()
    assert not psutil.pid_exists(child.pid)


async def test_is_stopped_when_the_waiting_is_cancelled(tmp_path: Path) -> None:
    """A time limit around the whole ends the program too, and stays a time limit."""
    child = Child(program(tmp_path, "time.sleep(60)"), print)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2), child:
            await child.wait_ready()
    assert not psutil.pid_exists(child.pid)


async def test_is_stopped_while_it_waits_for_its_next_start(tmp_path: Path) -> None:
    """Leaving the context in the pause after a crash starts nothing any more."""
    said: list[str] = []
    async with Child(program(tmp_path, RUN), said.append, chance=lambda: 60.0) as child:
        await child.wait_ready()
        os.kill(child.pid, signal.SIGKILL)

        async def crash_is_said() -> bool:
            return "starting again" in said[-1]

        await wait_until(crash_is_said)
    assert child.starts == 1


async def test_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    """A child is in a process group of its own, which Ctrl-C in the terminal does not signal."""
    async with Child(program(tmp_path, RUN), print) as child:
        assert os.getpgid(child.pid) != os.getpgrp()


async def test_environment_is_laid_over_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program sees this process's environment, and what was given to it alone."""
    monkeypatch.setenv("OURS", "1")
    code = "open('environment', 'w').write(os.environ['OURS'] + os.environ['ITS']); " + RUN
    async with Child(program(tmp_path, code, environment={"ITS": "2"}), print):
        assert await until_file(tmp_path / "environment") == "12"


def test_pauses_grow_up_to_a_limit() -> None:
    """The pause doubles with each crash, is spread by chance, and never passes its limit."""
    assert [pause(crashes, 0.5) for crashes in (1, 2, 3)] == [0.25, 0.5, 1.0]
    assert pause(1, 0.0) < pause(1, 0.9)
    assert pause(1000, 0.999) < 25
