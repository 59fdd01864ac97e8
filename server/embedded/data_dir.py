"""The data folder of one run: made where it is missing, held by one process at a time."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from server.embedded.errors import DataDirInUse


@contextmanager
def held(data_dir: Path) -> Generator[Path]:
    """Hold `data_dir` until the end; yields its absolute path. Raises `DataDirInUse`.

    The lock is the kernel's, on `data_dir/lock`: it ends with this process, however that ends, so that no
    stale one is ever left. The file itself stays, and holds our process id for whoever is refused.
    """
    data_dir = data_dir.absolute()
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirInUse(data_dir, _holder(lock)) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield data_dir


def is_held(data_dir: Path) -> bool:
    """Whether another run holds the data folder now."""
    try:
        with (data_dir / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def _holder(lock: IO[str]) -> int | None:
    lock.seek(0)
    written = lock.read().strip()
    return int(written) if written.isdecimal() else None
