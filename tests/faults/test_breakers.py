"""A provider in trouble and several workers: they learn of it from one another, and try it carefully, one at a time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from uuid_utils import uuid7

from providers.breaker import Policy
from providers.errors import Overloaded, Resting
from providers.health import Health
from realtime.board.redis import RedisBoard
from realtime.redis import command_client, subscription_client
from realtime.signals.redis import RedisSignals
from server.wiring.breakers import SharedBreakers
from tests.support.private_valkey import private_valkey
from tests.support.waiting import wait_until

POLICY = Policy(failures=3, rest=0.3, longest_rest=2, successes=3)


@asynccontextmanager
async def _process(url: str, name: str) -> AsyncGenerator[Health]:
    """The breakers of one worker."""
    async with AsyncExitStack() as stack:
        commands = await stack.enter_async_context(command_client(url))
        subscriptions = await stack.enter_async_context(subscription_client(url))
        shared = SharedBreakers(RedisBoard(commands), RedisSignals(commands, subscriptions), name)
        health = Health(shared, POLICY)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for task in (group.create_task(health.run()), group.create_task(shared.listen(health))):
            stack.callback(task.cancel)
        yield health


@dataclass
class Provider:
    """What the workers ask: it counts who is inside at once."""

    ill: bool = True
    inside: int = 0
    most: int = 0
    asked: int = 0

    async def ask(self, health: Health, model: str) -> str:
        """One call through a breaker: `resting`, `failed` or `answered`."""
        try:
            ticket = await health.admit("house", model)
        except Resting:
            return "resting"
        with ticket:
            self.asked += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
            try:
                await asyncio.sleep(0.02)
            finally:
                self.inside -= 1
            if self.ill:
                ticket.failed(Overloaded("Too much."))
                return "failed"
            ticket.succeeded()
            return "answered"


async def test_three_workers_probe_one_at_a_time(redis_url: str) -> None:
    """One opens for all; after the rest one probe at a time goes, whoever sends it; in the end all are closed."""
    model = uuid7().hex
    key = f"house/{model}"
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(_process(redis_url, f"worker-{n}")) for n in range(3)]
        provider = Provider()
        for worker in workers:
            await worker.admit("house", model)
        for _ in range(POLICY.failures):
            await provider.ask(workers[0], model)
        assert workers[0].states()[key] == "open"

        async def all_rest() -> bool:
            return all(worker.states()[key] != "closed" for worker in workers)

        await wait_until(all_rest)
        provider.ill, provider.most, provider.asked = False, 0, 0

        async def all_closed() -> bool:
            calls = [provider.ask(worker, model) for worker in workers for _ in range(5)]
            if all(worker.states()[key] == "closed" for worker in workers):
                for call in calls:
                    call.close()
                return True
            half_open = any(worker.states()[key] == "half_open" for worker in workers)
            before = provider.asked
            await asyncio.gather(*calls)
            if half_open and all(worker.states()[key] == "half_open" for worker in workers):
                assert provider.asked - before <= 1
            return False

        await wait_until(all_closed)
        assert provider.asked >= POLICY.successes


async def test_a_failed_probe_sends_all_back_to_rest(redis_url: str) -> None:
    """While a provider is ill, three workers together send it one call a rest."""
    model = uuid7().hex
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(_process(redis_url, f"worker-{n}")) for n in range(3)]
        provider = Provider()
        for _ in range(POLICY.failures):
            await provider.ask(workers[0], model)
        provider.asked = provider.most = 0
        loop = asyncio.get_running_loop()
        end = loop.time() + 1.5
        while loop.time() < end:
            await asyncio.gather(*(provider.ask(worker, model) for worker in workers))
        assert provider.most == 1
        # Rests of 0.3, 0.6, 1.2 s: three probes at most.
        assert 1 <= provider.asked <= 4


async def test_a_newcomer_learns_before_its_first_call(redis_url: str) -> None:
    """A worker that starts while a provider rests does not try it."""
    model = uuid7().hex
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(_process(redis_url, "old"))
        for _ in range(POLICY.failures):
            await Provider().ask(old, model)
        new = await stack.enter_async_context(_process(redis_url, "new"))

        async def learned() -> bool:
            await new.refresh([f"house/{model}"])
            return new.state("house", model) != "closed"

        await wait_until(learned)
        assert await Provider().ask(new, model) in ("resting", "failed")


async def test_without_redis_each_goes_by_its_own(tmp_path: Path) -> None:
    """Breakers open, probe and close while nobody can be told, and no call waits long for that."""
    async with private_valkey(tmp_path) as engine, _process(engine.url, "alone") as worker:
        provider = Provider()
        await provider.ask(worker, "m")
        await engine.kill()
        for _ in range(POLICY.failures):
            await provider.ask(worker, "m")
        assert worker.state("house", "m") == "open"
        provider.ill = False

        async def closed() -> bool:
            await provider.ask(worker, "m")
            return worker.state("house", "m") == "closed"

        await wait_until(closed)
        await engine.start()


@pytest.mark.parametrize("times", [20])
async def test_a_users_stop_is_no_failure(redis_url: str, times: int) -> None:
    """Calls that are left in the middle, by whatever way, open nothing."""
    model = uuid7().hex
    async with _process(redis_url, "one") as worker:

        async def left() -> None:
            with await worker.admit("house", model):
                await asyncio.sleep(60)

        tasks = [asyncio.create_task(left()) for _ in range(times)]
        await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert worker.state("house", model) == "closed"
