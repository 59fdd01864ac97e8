"""`python -m server chat`: a person at a terminal, played by pipes and signals."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.client import chat, http
from tests.support.house import House
from tests.support.talking_model import spoken


class Seat:
    """A terminal with somebody in front of it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen = ""

    def type(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")

    async def until_sees(self, text: str, times: int = 1) -> None:
        """Read until the screen shows a text so many times."""
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            while self.seen.count(text) < times:
                chunk = await self.process.stdout.read(4096)
                assert chunk, f"it ended without {text!r}:\n{self.seen}"
                self.seen += chunk.decode(errors="replace")

    async def leave(self) -> int:
        """Ctrl-D; the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        async with asyncio.timeout(10):
            return await self.process.wait()


@asynccontextmanager
async def seated(house: House, *arguments: str) -> AsyncIterator[Seat]:
    """Sit down at a terminal."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "server", "chat", "--url", house.here, *arguments),
        stdin=pipe,
        stdout=pipe,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"},
    )
    seat = Seat(process)
    try:
        yield seat
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_conversation(house: House) -> None:
    """One types, the answer appears, and Ctrl-D leaves."""
    async with seated(house) as seat:
        await seat.until_sees("› ")
        seat.type("say 12 tokens")
        await seat.until_sees("tokens · ")
        assert spoken(12) in seat.seen
        assert await seat.leave() == 0


async def test_ctrl_c_stops_the_reply_and_not_the_conversation(house: House) -> None:
    """The first Ctrl-C is for the model; one can go on talking."""
    async with seated(house) as seat:
        await seat.until_sees("› ")
        seat.type("say 900 tokens at 100/s")
        await seat.until_sees(spoken(5))
        seat.process.send_signal(signal.SIGINT)
        await seat.until_sees("· stopped")
        await seat.until_sees("› ", times=2)
        seat.type("say 3 tokens")
        await seat.until_sees("tokens · ")
        assert await seat.leave() == 0


async def test_one_may_go_on_with_a_conversation_from_elsewhere(house: House) -> None:
    """What was said before is shown, each text once."""
    async with http(house.here) as ada:
        conversation = await ada.conversation()
        async with chat(house.here, ada.token) as device:
            await device.subscribe(conversation)
            await device.until_end((await device.send(conversation, "say 7 tokens"))["reply"])
        async with seated(house, conversation, "--token", ada.token) as seat:
            await seat.until_sees(spoken(7))
            assert seat.seen.count("say 7 tokens") == 1
            assert await seat.leave() == 0


async def test_a_server_that_is_not_there_is_named(house: House) -> None:
    """A sentence, an exit code, no traceback."""
    async with seated(house, "--url", "http://127.0.0.1:9") as seat:
        await seat.until_sees("Is it up?")
        assert await seat.process.wait() == 1
    assert "Traceback" not in seat.seen
