"""`python -m server up` as a child of the tests: everything, as somebody starts it who has just cloned it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

_READY = re.compile(r"ready at (http://\S+)")
_START = 90.0
_STOP = 45.0


class Up:
    """One data folder and, once started, the server on it. After a kill it may be started again, on the same port."""

    def __init__(self, data_dir: Path, **settings: str) -> None:
        self._data_dir = data_dir
        self._settings = settings
        self._said = data_dir.with_name(f"{data_dir.name}.said")
        self._process: subprocess.Popen[bytes] | None = None
        self._port = "0"
        self.url = ""

    def start(self) -> None:
        """Start it and wait until it is ready; fails with all that it said."""
        environment = {**os.environ, "CHAT_PORT": self._port, "CHAT_DATA_DIR": str(self._data_dir)}
        environment |= self._settings
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "server", "up"], env=environment, stdout=said, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + _START
        while not (found := _READY.search(self._said.read_text())):
            assert self._process.poll() is None, self._said.read_text()
            assert time.monotonic() < deadline, self._said.read_text()
            time.sleep(0.05)
        self.url = found[1]
        self._port = self.url.rpartition(":")[2]

    def kill(self) -> None:
        """End it without warning, as a crash or the end of the power does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as Ctrl-C does; nothing happens when it does not run."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(_STOP)
        self._process = None
