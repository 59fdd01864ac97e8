"""The machine that is measured: its cores, its clock of a process's CPU time, and what it is called in a table."""

import os
import platform
import resource
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import psutil

_WANTED_FILES = 16_384


def _cores() -> list[int]:
    if sys.platform == "linux":
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


CORES = _cores()
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
"""What is measured runs on the first, everything else on the last."""


@contextmanager
def on_core(core: int) -> Generator[None]:
    """Children that are started in the body run on `core` alone (on Linux; elsewhere where they like)."""
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cpu_seconds(pid: int) -> float:
    """CPU time, user and system, of all threads of a process so far; to the nanosecond where Linux tells it."""
    if sys.platform == "linux":
        # The clock that clock_getcpuclockid(3) names: bits 0-2 say "of a process, by the scheduler's account".
        return time.clock_gettime((~pid << 3) | 2)
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def resident_bytes(pid: int) -> int:
    """Memory that a process holds."""
    return psutil.Process(pid).memory_info().rss


def allow_many_files() -> int:
    """Raise the limit of open files for this process and its children; returns the limit then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(_WANTED_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


def description(*packages: str) -> str:
    """Processor, cores, system, and the versions that matter."""
    names = ", ".join(f"{name} {version(name)}" for name in packages)
    where = f"{_processor()}, {len(CORES)} cores, {platform.system()} {platform.release().split('-')[0]}"
    return f"{where}, Python {platform.python_version()}, {names}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
