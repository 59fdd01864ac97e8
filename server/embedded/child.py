"""A supervised child process: started, waited for, started again when it crashes, stopped in order.

    async with Child(program, say) as child:   # running from here on
        await child.wait_ready()
        ...
    # stopped: asked first, killed when it took too long, nothing left of what it had started

Several children start side by side when they are entered one after the other and waited for afterwards.
"""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio

from server.embedded.errors import ChildFailed
from server.embedded.guarded import GuardedProcess
from server.embedded.log_file import open_log, tail

Say = Callable[[str], None]
"""Takes one line for the person at the terminal."""

_PROBE_EVERY = 0.05
_PROBE_LIMIT = 5.0
_PROGRESS_EVERY = 3.0
_CALM = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a child runs, and how it is treated. Times are seconds.

    `ready` is asked again and again until it answers True, and raises nothing for "not yet"; `prepare` is called before
    each start, and takes away what a killed life left that would look ready.
    `environment` is laid over this process's own. `mends` says, for words in the log of a failed start,
    what mends it. `stop_within` is how long a graceful stop may take
    before the program and all it started are killed.
    """

    name: str
    argv: Sequence[str]
    log: Path
    ready: Callable[[], Awaitable[bool]]
    prepare: Callable[[], None] = lambda: None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    mends: Mapping[str, str] = field(default_factory=dict[str, str])
    start_within: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within: float = 10.0


def pause(crashes: int, chance: float) -> float:
    """Seconds before the next start after `crashes` in a row; `chance` in [0, 1) spreads it by half."""
    return min(0.25 * 2.0 ** min(crashes - 1, 10), 15.0) * (0.5 + chance)


class Child:
    """Keeps one program running, from entering the context to leaving it.

    A program that ends before it was ever ready is not started again: `wait_ready` raises `ChildFailed`.
    Later deaths are answered by a new start after a pause that grows while they repeat.
    """

    def __init__(self, program: Program, say: Say, chance: Callable[[], float] = random.random) -> None:
        self.program = program
        self.starts = 0
        self._out = say
        self._chance = chance
        self._failure: ChildFailed | None = None
        self._settled = anyio.Event()
        self._stopping = False
        self._log_start = 0
        self._life: GuardedProcess
        self._keeper: asyncio.Task[None]

    @property
    def pid(self) -> int:
        """The process id of the present, or last, life of the program."""
        return self._life.pid

    async def wait_ready(self) -> None:
        """Wait until the program has been ready once; raises `ChildFailed` when it will not be."""
        await self._settled.wait()
        if self._keeper.done():
            # It ends early only after a failure, or by a mistake in the probe, which is raised here.
            self._keeper.result()
        if self._failure:
            raise self._failure

    async def __aenter__(self) -> Self:
        """Start the program, without waiting until it is ready."""
        self._say("starting")
        try:
            self._start()
        except OSError as error:
            raise ChildFailed(self.program.name, f"cannot be started ({error})", self.program.log) from error
        # A task rather than a task group: that could not be left from another task than entered it.
        self._keeper = asyncio.create_task(self._keep())
        self._keeper.add_done_callback(lambda _: self._settled.set())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the program: asked first, killed at the end of `stop_within`."""
        self._stopping = True
        with anyio.CancelScope(shield=True):
            await self._stop()
            await self._life.close()
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        mistake = None if self._keeper.cancelled() else self._keeper.exception()
        if mistake and error is None:
            raise mistake

    def _say(self, line: str) -> None:
        self._out(f"{self.program.name}: {line}")

    def _start(self) -> None:
        self.program.prepare()
        with open_log(self.program.log) as log:
            self._log_start = log.tell()
            environment = {**os.environ, **self.program.environment}
            self._life = GuardedProcess(self.program.argv, environment, log)
        self.starts += 1

    async def _keep(self) -> None:
        crashes = 0
        while True:
            born = anyio.current_time()
            reason = await self._live()
            if self._stopping:
                return
            await self._life.close()
            if not self._settled.is_set():
                self._fail(reason)
                return
            crashes = 1 if anyio.current_time() - born > _CALM else crashes + 1
            seconds = pause(crashes, self._chance())
            self._say(f"{reason}; starting again in {seconds:.1f} s (see {self.program.log})")
            await anyio.sleep(seconds)
            if self._stopping:
                return
            try:
                self._start()
            except OSError as error:
                # The machine is short of something: the ended life stands for one more crash.
                self._say(f"cannot be started ({error})")

    async def _live(self) -> str:
        """One life of the program, to its end; returns how it ended."""
        reason = ""
        code = 0
        async with anyio.create_task_group() as life:

            async def become_ready() -> None:
                nonlocal reason
                if not await self._wait_probe():
                    reason = f"was not ready within {self.program.start_within:.0f} s"
                    self._life.signal(signal.SIGKILL)

            life.start_soon(become_ready)
            code = await self._life.wait()
            life.cancel_scope.cancel()
        return reason or _ending(code)

    async def _wait_probe(self) -> bool:
        """Poll the readiness probe, saying so from time to time; False when the time is up."""
        begun = anyio.current_time()
        said = 0.0
        while (waited := anyio.current_time() - begun) < self.program.start_within:
            with anyio.move_on_after(_PROBE_LIMIT):
                if await self.program.ready():
                    self._say(f"ready in {anyio.current_time() - begun:.1f} s")
                    self._settled.set()
                    return True
            if waited - said >= _PROGRESS_EVERY:
                said = waited
                self._say(f"still starting, {waited:.0f} s so far")
            await anyio.sleep(_PROBE_EVERY)
        return False

    def _fail(self, reason: str) -> None:
        program = self.program
        last_words = tail(program.log, self._log_start)
        mends = [mend for sign, mend in program.mends.items() if sign in last_words]
        self._failure = ChildFailed(program.name, reason, program.log, last_words, mends)
        self._settled.set()

    async def _stop(self) -> None:
        self._life.signal(self.program.stop_signal)
        with anyio.move_on_after(self.program.stop_within) as limit:
            await self._life.wait()
        if limit.cancelled_caught:
            self._say(f"did not stop within {self.program.stop_within:.0f} s, killed")
        elif self._failure is None:
            self._say("stopped")


def _ending(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"
