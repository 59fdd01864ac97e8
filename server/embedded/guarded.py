"""A process that cannot outlive its parent, nor leave anything behind that it started itself.

Beside each program stands a guard, a shell of 1 MB that leads a process group of its own and blocks on a
pipe whose other end this process alone holds. The program joins the guard's group, and its children are
born into it. When the pipe closes, by `close` or because this process is gone for whatever reason
(`kill -9` included), the guard kills the whole group, itself with it. One mechanism for Linux and macOS;
unlike PR_SET_PDEATHSIG it reaches grandchildren, and does not depend on the thread that forked.

The group is not the terminal's foreground group: Ctrl-C reaches the parent alone, which stops its
children in order. While the guard lives the group's id cannot be given to somebody else.
"""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO

from anyio import CapacityLimiter, to_thread

_GUARD = 'trap "" HUP INT TERM; read -r _; kill -KILL 0'


class GuardedProcess:
    """One run of a program under a guard; started by the constructor.

    `environment` is the whole environment of the program; `output` takes what it writes, errors included.
    Raises OSError when the program cannot be started. Whoever constructs it calls `close`.
    """

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], output: IO[bytes]) -> None:
        self._guard = subprocess.Popen(  # noqa: S603 - a constant
            ["/bin/sh", "-c", _GUARD],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        try:
            self._program = subprocess.Popen(  # noqa: S603 - the caller's own argv, without a shell
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                process_group=self._guard.pid,
            )
        except OSError:
            self._cut_lifeline()
            self._guard.wait()
            raise
        # Threads of its own to wait in, outside the pool that everything else shares: a supervisor's,
        # the one of a stop, and the one of `close`.
        self._threads = CapacityLimiter(3)

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self._program.pid

    async def wait(self) -> int:
        """Wait for the program's end; returns its exit code, or minus the signal that ended it."""
        return await to_thread.run_sync(self._program.wait, abandon_on_cancel=True, limiter=self._threads)

    def signal(self, number: signal.Signals) -> None:
        """Signal the program alone, not its children; nothing happens when it has ended."""
        self._program.send_signal(number)

    async def close(self) -> None:
        """Kill what is left of the group, and reap it."""
        self._cut_lifeline()
        await to_thread.run_sync(self._guard.wait, limiter=self._threads)
        await to_thread.run_sync(self._program.wait, limiter=self._threads)

    def _cut_lifeline(self) -> None:
        assert self._guard.stdin is not None, "opened as a pipe"
        self._guard.stdin.close()
