"""The lock of the data folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.embedded.data_dir import held
from server.embedded.errors import DataDirInUse

HOLD = """
import sys, pathlib
from server.embedded.data_dir import held
with held(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    """A second holder is refused with the pid of the first, and let in after it."""
    folder = tmp_path / "deep" / "data"
    with held(folder) as absolute:
        assert absolute == folder
        with pytest.raises(DataDirInUse, match=f"in use by process {os.getpid()}") as caught, held(folder):
            pass
        assert caught.value.pid == os.getpid()
    with held(folder):
        pass


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    """The lock ends with its process, even one that could not clean up."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(DataDirInUse) as caught, held(tmp_path):
            pass
        assert caught.value.pid == process.pid
        process.kill()
    with held(tmp_path):
        pass
