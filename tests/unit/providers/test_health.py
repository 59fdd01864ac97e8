"""The breakers of a process: what becomes of those that nobody needs, and of calls that never began."""

import asyncio
from collections.abc import Sequence

import pytest

from providers import health as health_module
from providers.breaker import Policy
from providers.errors import Overloaded, Resting, UnknownModel
from providers.health import Health, News
from tests.support.waiting import wait_until


class ScriptedFleet:
    """`providers.health.Fleet`: other processes that answer when they are let."""

    def __init__(self) -> None:
        self.answering = asyncio.Event()
        self.answering.set()
        self.asking = asyncio.Event()
        """Somebody waits for a turn to probe."""
        self.given_back: list[str] = []

    async def tell(self, key: str, news: News) -> None:
        """See the port."""

    async def ask(self, keys: Sequence[str]) -> dict[str, News]:
        """See the port."""
        return {}

    async def take_probe(self, key: str, seconds: float) -> bool:
        """See the port."""
        self.asking.set()
        await self.answering.wait()
        return True

    async def give_probe_back(self, key: str) -> None:
        """See the port."""
        self.given_back.append(key)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock."""
    return Clock()


async def _fail(health: Health, model: str) -> None:
    with await health.admit("house", model) as ticket:
        ticket.failed(Overloaded("no room"))


async def test_a_probe_that_is_given_up_before_it_began_keeps_nobody_waiting(clock: Clock) -> None:
    """Its user stops the reply while the fleet is asked for the turn: the next one may probe at once."""
    fleet = ScriptedFleet()
    health = Health(fleet, Policy(failures=1), clock)
    await _fail(health, "m")
    clock.now += 60
    fleet.answering.clear()
    probing = asyncio.create_task(health.admit("house", "m"))
    await fleet.asking.wait()
    probing.cancel()
    await asyncio.gather(probing, return_exceptions=True)
    fleet.answering.set()
    running = asyncio.create_task(health.run())
    with await health.admit("house", "m") as ticket:
        ticket.succeeded()

    async def given_back() -> bool:
        return fleet.given_back == ["house/m"] * 2

    await wait_until(given_back)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_models_that_people_make_up_are_not_kept_for_ever(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A breaker of which there is nothing to remember makes room; one that rests stays."""
    monkeypatch.setattr(health_module, "_MOST_BREAKERS", 10)
    health = Health(ScriptedFleet(), Policy(failures=1), clock)
    await _fail(health, "ill")
    for number in range(100):
        with await health.admit("house", f"made-up-{number}") as ticket:
            ticket.failed(UnknownModel("no such model"))
    health.hear("house/never-asked", News("closed"))
    assert len(health.states()) <= 10
    with pytest.raises(Resting):
        await health.admit("house", "ill")


async def test_another_process_with_a_wrong_clock_stops_nobody_for_long(clock: Clock) -> None:
    """A rest that ends in an hour, by its clock, is as long here as a rest may be."""
    health = Health(ScriptedFleet(), Policy(longest_rest=120.0), clock)
    health.hear("house/m", News("opened", clock.now + 3600, 1))
    assert health.state("house", "m") == "open"
    clock.now += 121
    assert health.state("house", "m") == "half_open"
