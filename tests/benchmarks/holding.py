"""Light chat clients in one process whose replies are all in the middle at the same time.

`python -m tests.benchmarks.holding` reads a plan, connects all, prints `{"ready": n}`, and answers `hold TOKENS PACE
GAP` (each client asks once, GAP seconds after the one before) by `{"first"}` once every reply has its first token: the
seconds from each send to it. `release` stops all replies, and is answered by `{"released": n}` once they have ended.
"""

import asyncio
import sys
import time
from typing import Any

import msgspec

from tests.benchmarks.children import commands, run, say
from tests.benchmarks.load import Client, Plan, connect
from tests.benchmarks.servers.paced_model import model

FIRST_SECONDS = 60.0
_END_SECONDS = 60.0
_decode = msgspec.json.Decoder().decode


class Holder(Client):
    """A client with one reply that goes on and on."""

    def __init__(self, plan: Plan, greeting: list[str]) -> None:
        super().__init__(plan, greeting)
        self.conversation: str = msgspec.json.decode(greeting[1])["conversation"]
        self.reply = ""
        self.sent = 0.0
        self.first = 0.0
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    def take(self, payload: bytes) -> None:
        """Look into a frame, as little as possible."""
        if payload.startswith(b'{"type":"reply.delta"'):
            if not self.begun.is_set():
                self.first = time.perf_counter() - self.sent
                self.begun.set()
            return
        frame: Any = _decode(payload)
        match frame["type"]:
            case "accepted":
                self.reply = frame["reply"]
            case "reply.cancelled":
                self.ended.set()
            case "error" | "reply.failed" | "reply.completed":
                raise RuntimeError(f"not to be held: {frame}")
            case _:
                pass

    async def hold(self, delay: float, name: str) -> float:
        """Ask, and wait for the first token; the seconds that it took."""
        await asyncio.sleep(delay)
        said = {"type": "send", "conversation": self.conversation, "text": "On?", "reply": {"model": name}}
        self.sent = time.perf_counter()
        self.send(1, msgspec.json.encode(said))
        async with asyncio.timeout(FIRST_SECONDS):
            await self.begun.wait()
        return self.first

    async def release(self) -> None:
        """Stop the reply."""
        self.send(1, msgspec.json.encode({"type": "cancel", "id": "c", "reply": self.reply}))
        async with asyncio.timeout(_END_SECONDS):
            await self.ended.wait()


async def _main() -> None:
    plan = msgspec.json.decode(sys.stdin.readline(), type=Plan)
    clients = await connect(plan, Holder)
    say(ready=len(clients))
    async for command in commands():
        if command[0] == "hold":
            name, gap = model(int(command[1]), int(command[2])), float(command[3])
            say(first=await asyncio.gather(*(one.hold(n * gap, name) for n, one in enumerate(clients))))
        else:
            await asyncio.gather(*(one.release() for one in clients))
            say(released=len(clients))


if __name__ == "__main__":
    run(_main())
