"""The processes below a process, and whether they are gone."""

import psutil

from tests.support.waiting import wait_until


def alive(process: psutil.Process) -> bool:
    """Whether a process runs still; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def descendants(pid: int) -> list[psutil.Process]:
    """All processes below one."""
    return psutil.Process(pid).children(recursive=True)


async def until_all_gone(processes: list[psutil.Process]) -> None:
    """Wait until none of the processes runs."""

    async def gone() -> bool:
        return not any(alive(process) for process in processes)

    await wait_until(gone, within=10)
