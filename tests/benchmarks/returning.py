"""Light clients that note how late each event is, and that can all be cut off and come back at once.

`python -m tests.benchmarks.returning` reads a plan, connects all, and prints `{"ready": n}`. Events say in `"at":` when
they were published, by a clock that all processes of a machine share. It answers

    late            {"delays"}: of all events so far, in milliseconds, sorted
    storm KEPT      all but the first KEPT are cut off and come back, each from where it was, at once:
                    {"back", "recovered", "delays"}: the seconds until each had all that it had missed, how many were
                    recovered, and the delays of those that stayed
"""

import asyncio
import sys
import time
from typing import Any

import msgspec

from tests.benchmarks.children import commands, run, say
from tests.benchmarks.load import Client, Plan, connect

_STORM_SECONDS = 60.0
_decode = msgspec.json.Decoder().decode


class Returning(Client):
    """A client that knows where it is."""

    def __init__(self, plan: Plan, greeting: list[str]) -> None:
        super().__init__(plan, greeting)
        self.delays: list[float] = []
        self.epoch = ""
        self.offset = 0
        self.target = 0
        self.recovered = False
        self.there = asyncio.Event()

    def began(self, payload: bytes) -> None:
        """Note where it begins; one that was recovered has yet to hear what it missed."""
        if not payload.startswith(b"{"):
            return
        said: dict[str, Any] = _decode(payload)
        if said["type"] != "subscribed":
            return
        self.epoch, self.target, self.recovered = said["epoch"], said["offset"], said["recovered"]
        if not self.recovered:
            self.offset = self.target
        if self.offset >= self.target:
            self.there.set()

    def take(self, payload: bytes) -> None:
        """An event."""
        if not payload.startswith(self._counted):
            return
        self.offset = int(payload[payload.rindex(b":") + 1 : -1])
        at = payload.find(b'"at":')
        if at > 0 and self.there.is_set():
            moment = float(payload[at + 5 : payload.index(b",", at)])
            self.delays.append((time.monotonic() - moment) * 1000)
        if self.offset >= self.target:
            self.there.set()

    def cut(self) -> None:
        """Lose the connection without a word."""
        self._transport.abort()

    def back(self) -> "Returning":
        """The same client, on its way back."""
        if not self.epoch:
            return Returning(self.plan, self.greeting)
        hello, subscribe = self.greeting
        after = f',"after":{{"epoch":"{self.epoch}","offset":{self.offset}}}}}'
        again = Returning(self.plan, [hello, subscribe[:-1] + after])
        again.offset = self.offset
        return again


def _share(values: list[float], share: float) -> float:
    return values[min(int(len(values) * share), len(values) - 1)]


def _late(clients: list[Returning]) -> dict[str, float | None]:
    """How late events were: so many, the median, and the 99th percentile, in milliseconds. (All would be megabytes.)"""
    delays = sorted(delay for client in clients for delay in client.delays)
    median, p99 = (_share(delays, share) if delays else None for share in (0.5, 0.99))
    return {"events": len(delays), "median": median, "p99": p99}


async def _come_back(client: Returning, began: float) -> float:
    loop = asyncio.get_running_loop()
    while True:
        try:
            await loop.create_connection(lambda: client, "127.0.0.1", client.plan.port)
            break
        except OSError:  # the backlog is full
            await asyncio.sleep(0.05)
    await client.ready.wait()
    if client.greeting:
        await client.there.wait()
    return loop.time() - began


async def _storm(clients: list[Returning], kept: int) -> list[Returning]:
    for client in clients[:kept]:
        client.delays.clear()
    gone = clients[kept:]
    for client in gone:
        client.cut()
    again = [client.back() for client in gone]
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(_STORM_SECONDS):
        back = await asyncio.gather(*(_come_back(client, began) for client in again))
    recovered = sum(client.recovered for client in again)
    say(half=_share(sorted(back), 0.5), all=max(back), recovered=recovered, **_late(clients[:kept]))
    return [*clients[:kept], *again]


async def _main() -> None:
    plan = msgspec.json.decode(sys.stdin.readline(), type=Plan)
    clients = await connect(plan, Returning)
    say(ready=len(clients))
    async for command in commands():
        if command[0] == "storm":
            clients = await _storm(clients, int(command[1]))
        else:
            say(**_late(clients))
            for client in clients:
                client.delays.clear()


if __name__ == "__main__":
    run(_main())
