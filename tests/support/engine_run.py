"""Embedded engines in a process of their own, which a test may stop, or kill without warning.

`python -m tests.support.engine_run DATA_DIR mongodb valkey model` starts the engines that are named, writes
their URLs as one line of JSON, and stops them on SIGTERM, or when its standard input closes: it cannot
outlive the tests, however they end.
"""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from server.embedded.engines import EngineURLs, Wanted, embedded

_STOP = 30.0


class EngineRun:
    """A running `engine_run`: its process, where its engines answer, and what it says on the way."""

    def __init__(self, process: subprocess.Popen[str], urls: EngineURLs, said: Path) -> None:
        self.process = process
        self.urls = urls
        self._said = said

    @property
    def said(self) -> str:
        """All lines that were said so far."""
        return self._said.read_text()


@contextmanager
def engine_run(data_dir: Path, *engines: str) -> Generator[EngineRun]:
    """Start the named engines; they are ready in the body, and stopped at its end if they still run."""
    said = data_dir.with_name(f"{data_dir.name}.said")
    with said.open("w") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(data_dir), *engines],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=lines,
            text=True,
        )
    with process:
        assert process.stdin
        assert process.stdout
        answer = process.stdout.readline()
        assert answer, said.read_text()
        yield EngineRun(process, EngineURLs(**json.loads(answer)), said)
        process.stdin.close()
        process.wait(_STOP)


async def _run(data_dir: Path, engines: list[str]) -> None:
    wanted = Wanted(
        data_dir=data_dir,
        start_mongodb="mongodb" in engines,
        start_valkey="valkey" in engines,
        start_model="model" in engines,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    async with embedded(wanted) as urls:
        print(json.dumps(asdict(urls)), flush=True)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        # Readable only at the end of the input: nothing is ever written to it.
        loop.add_reader(sys.stdin, stop.set)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1]), sys.argv[2:]))
