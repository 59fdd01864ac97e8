"""Light chat clients in one process: each sends in its own conversation, and reads until the reply has ended.

`python -m tests.benchmarks.chatting` reads a plan, connects all, prints `{"ready": n}`, and answers `go STREAMS ANSWERS
TOKENS GAP` (the first STREAMS clients, which begin GAP seconds apart) by `{"tokens", "first", "accepted", "took"}`:
tokens that arrived, and the seconds from each send to its first delta and to its `accepted`. `send` does the same, but
waits for nothing more than `accepted`; `TOKENS` 0 wants no reply. `pace STREAMS SENDS TOKENS GAP` sends so
often, GAP seconds apart whatever comes back, by one client after the other. The answer has `{"started"}` as well: the
seconds from `accepted` until a worker had each; and `{"queued", "asked"}`, what the replies say of themselves: the
milliseconds until a worker took each up, and from then on until it had the first token.
"""

import asyncio
import sys
import time
from typing import Any

import msgspec

from tests.benchmarks.children import commands, run, say
from tests.benchmarks.load import Client, Plan, connect
from tests.benchmarks.servers.paced_model import TOKEN, model

_ANSWER_SECONDS = 60.0
_WAITS = {"go": "reply.completed", "send": "accepted"}
_ENDS = {"reply.completed", "reply.failed", "reply.cancelled"}
_decode = msgspec.json.Decoder().decode


class Chatter(Client):
    """A client that sends, and times what comes back."""

    def __init__(self, plan: Plan, greeting: list[str]) -> None:
        super().__init__(plan, greeting)
        self.conversation: str = msgspec.json.decode(greeting[1])["conversation"]
        self.clock = time.perf_counter  # the loop's own clock counts milliseconds
        self.sent = 0.0
        self.waits_for = ""
        self.done = asyncio.Event()
        self.first: list[float] = []
        self.accepted: list[float] = []
        self.started: list[float] = []
        self.timings: list[tuple[int, int]] = []
        self.moments: dict[str, float] = {}
        self.letters = 0
        self.waits_for_first = False

    def take(self, payload: bytes) -> None:
        """Look into a frame, as little as possible."""
        if payload.startswith(b'{"type":"reply.delta"'):
            if self.waits_for_first:
                self.first.append(self.clock() - self.sent)
                self.waits_for_first = False
            self.letters += len(_decode(payload)["text"])
            return
        frame: Any = _decode(payload)
        if frame["type"] in {"accepted", "reply.started"}:
            self._note(frame["type"])
        elif frame["type"] == "error" or frame["type"] in _ENDS - {"reply.completed"}:
            raise RuntimeError(f"refused: {frame}")
        elif frame["type"] == "reply.completed":
            self.timings.append((frame["timing"]["queued_ms"], frame["timing"]["first_token_ms"]))
        if frame["type"] == self.waits_for:
            self.done.set()

    def _note(self, type_: str) -> None:
        self.moments[type_] = self.clock()
        if type_ == "accepted":
            self.accepted.append(self.moments[type_] - self.sent)
        if len(self.moments) == 2:  # either may come first
            self.started.append(max(self.moments["reply.started"] - self.moments["accepted"], 0.0))

    async def chat(self, waits_for: str, delay: float, answers: int, tokens: int) -> None:
        """Send and wait, so many times."""
        await asyncio.sleep(delay)
        reply: object = {"model": model(tokens)} if tokens else False
        self.waits_for = waits_for
        for _ in range(answers):
            said = {"type": "send", "conversation": self.conversation, "text": "What is it?", "reply": reply}
            self.done.clear()
            self.waits_for_first = True
            self.moments.clear()
            self.sent = self.clock()
            self.send(1, msgspec.json.encode(said))
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self.done.wait()

    def told(self) -> tuple[list[float], list[float], int]:
        """What was seen since the last time."""
        seen = (self.first, self.accepted, self.letters // len(TOKEN))
        self.first, self.accepted, self.letters, self.started, self.timings = [], [], 0, [], []
        return seen


async def _main() -> None:
    plan = msgspec.json.decode(sys.stdin.readline(), type=Plan)
    clients = await connect(plan, Chatter)
    say(ready=len(clients))
    loop = asyncio.get_running_loop()
    async for command in commands():
        streams, answers, tokens = (int(word) for word in command[1:4])
        began = loop.time()
        chosen = clients[:streams]
        gap = float(command[4])
        if command[0] == "pace":
            turns = ((n * gap, chosen[n % streams]) for n in range(answers))
            await asyncio.gather(*(one.chat("reply.completed", delay, 1, tokens) for delay, one in turns))
        else:
            end = _WAITS[command[0]]
            await asyncio.gather(*(one.chat(end, n * gap, answers, tokens) for n, one in enumerate(chosen)))
        started = [seconds for one in chosen for seconds in one.started]
        timings = [timing for one in chosen for timing in one.timings]
        told = [one.told() for one in chosen]
        say(
            started=started,
            queued=[queued for queued, _ in timings],
            asked=[asked for _, asked in timings],
            first=[seconds for first, _, _ in told for seconds in first],
            accepted=[seconds for _, accepted, _ in told for seconds in accepted],
            tokens=sum(tokens for _, _, tokens in told),
            took=loop.time() - began,
        )


if __name__ == "__main__":
    run(_main())
