"""How each provider and model is doing: a breaker for each, shared with the other processes where they can be reached.

What is shared is little: that one opened, that a probe went well, that one closed, and who may probe now. It travels
beside the calls, never in their way, and where nobody can be reached each process goes by its own breakers.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog

from providers.breaker import Admission, Breaker, Policy, State
from providers.errors import BadRequest, ProviderError, Resting, Unauthorized, UnknownProvider

_log = structlog.get_logger(__name__)

_ASK_SECONDS = 0.5
_REFRESH_SECONDS = 5.0
_MOST_NEWS = 256
_MOST_BREAKERS = 1000
"""Models are named by people, and what somebody made up is not kept for ever."""


@dataclass(frozen=True, slots=True)
class News:
    """What one process tells the others of a breaker. `until` is of the wall clock."""

    kind: Literal["opened", "probed", "closed"]
    until: float = 0.0
    rests: int = 0


class FleetAway(Exception):
    """The other processes cannot be reached now."""


class Fleet(Protocol):
    """The other processes, as far as this package needs them. Every method raises `FleetAway`."""

    async def tell(self, key: str, news: News) -> None:
        """Tell all of them, and keep it for those who ask later, as long as it is true."""
        ...

    async def ask(self, keys: Sequence[str]) -> dict[str, News]:
        """What has been kept."""
        ...

    async def take_probe(self, key: str, seconds: float) -> bool:
        """Whether this process may probe now; nobody else may for so long, or until it is given back."""
        ...

    async def give_probe_back(self, key: str) -> None:
        """The probe has ended."""
        ...


def key_of(provider: str, model: str) -> str:
    """What a breaker is known by."""
    return f"{provider}/{model}"


def blames(error: ProviderError) -> bool:
    """Whether a failure is the provider's: a prompt that it refuses, and a key that it does not know, are ours."""
    return not isinstance(error, BadRequest | Unauthorized | UnknownProvider | Resting)


class Health:
    """All breakers of a process. Run `run()` beside the calls, or nobody hears of anything."""

    def __init__(
        self, fleet: Fleet, policy: Policy | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._fleet = fleet
        self._policy = policy or Policy()
        self._clock = clock
        self._breakers: dict[str, Breaker] = {}
        self._outgoing: asyncio.Queue[tuple[str, News | None]] = asyncio.Queue(_MOST_NEWS)
        self.opened = 0
        """How often one opened here."""

    async def admit(self, provider: str, model: str) -> "Ticket":
        """Ask before a call. Errors: `Resting`."""
        key = key_of(provider, model)
        breaker = self._breakers.get(key)
        if breaker is None:
            breaker = self._new(key)
            await self._learn([key])
        admission = breaker.admit(self._clock())
        if admission.allowed and admission.probe:
            try:
                may = await self._may_probe(key)
            except asyncio.CancelledError:
                self.left(key, breaker, admission)
                raise
            if not may:
                breaker.left(admission)
                admission = Admission(False, False, admission.term, 1.0)
        if not admission.allowed:
            raise Resting(
                f"{provider} failed too often of late, and is left alone for a while.",
                retry_after=max(0.1, round(admission.wait, 1)),
            )
        return Ticket(self, key, breaker, admission)

    def state(self, provider: str, model: str) -> State:
        """How one stands; closed for one that was never asked."""
        breaker = self._breakers.get(key_of(provider, model))
        return breaker.state(self._clock()) if breaker else "closed"

    def states(self) -> dict[str, State]:
        """How all stand that were ever asked, or heard of."""
        now = self._clock()
        return {key: breaker.state(now) for key, breaker in self._breakers.items()}

    def hear(self, key: str, news: News) -> None:
        """Take in what another process tells."""
        breaker = self._breakers.get(key) or self._new(key)
        # Its clock is not ours: no rest is longer than a rest may be.
        until = min(news.until, self._clock() + self._policy.longest_rest)
        match news.kind:
            case "opened" if breaker.opened_elsewhere(until, news.rests):
                _log.warning("provider rests", breaker=key, told_by="another process")
            case "closed" if breaker.closed_elsewhere():
                _log.info("provider is well again", breaker=key, told_by="another process")
            case "probed":
                breaker.probed()
            case _:
                pass

    async def refresh(self, keys: Sequence[str]) -> None:
        """Learn how these stand, for who only looks."""
        await self._learn(keys)

    async def run(self) -> None:
        """Tell the others what happens here, and look now and then for what was missed, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell())
            group.create_task(self._look())

    def _new(self, key: str) -> Breaker:
        """One more; where there are too many, those that are closed make room."""
        if len(self._breakers) >= _MOST_BREAKERS:
            now = self._clock()
            self._breakers = {key: one for key, one in self._breakers.items() if one.state(now) != "closed"}
        breaker = self._breakers[key] = Breaker(self._policy)
        return breaker

    async def _tell(self) -> None:
        while True:
            key, news = await self._outgoing.get()
            try:
                if news is None:
                    await self._fleet.give_probe_back(key)
                else:
                    await self._fleet.tell(key, news)
            except FleetAway as error:
                _log.info("the others were not told", breaker=key, error=str(error))

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            if troubled := [key for key, state in self.states().items() if state != "closed"]:
                await self._learn(troubled)

    async def _learn(self, keys: Sequence[str]) -> None:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                told = await self._fleet.ask(keys)
        except (FleetAway, TimeoutError):
            return  # by our own breakers, then
        for key, news in told.items():
            self.hear(key, news)

    async def _may_probe(self, key: str) -> bool:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                return await self._fleet.take_probe(key, self._policy.probe_seconds)
        except (FleetAway, TimeoutError):
            return True

    def ended(self, key: str, breaker: Breaker, admission: Admission, error: ProviderError | None) -> None:
        """A call ended well, or by a failure."""
        now = self._clock()
        if error is None:
            state = breaker.succeeded(admission, now)
            if state == "closed":
                _log.info("provider is well again", breaker=key)
                self._post(key, News("closed"))
            elif admission.probe:
                self._post(key, News("probed"))
        elif blames(error):
            if breaker.failed(admission, now, error.retry_after) == "open":
                self.opened += 1
                _log.warning(
                    "provider rests", breaker=key, code=error.code, seconds=round(breaker.until - now, 1)
                )
                self._post(key, News("opened", breaker.until, breaker.rests))
        else:
            breaker.left(admission)
        self._give_back(key, admission)

    def left(self, key: str, breaker: Breaker, admission: Admission) -> None:
        """A call's user went away."""
        breaker.left(admission)
        self._give_back(key, admission)

    def _give_back(self, key: str, admission: Admission) -> None:
        if admission.probe:
            self._post(key, None)

    def _post(self, key: str, news: News | None) -> None:
        try:
            self._outgoing.put_nowait((key, news))
        except asyncio.QueueFull:
            _log.warning("too much to tell the others", breaker=key)


class Ticket:
    """One call that was admitted: `with` it; told neither success nor failure, it says nothing of the provider."""

    def __init__(self, health: Health, key: str, breaker: Breaker, admission: Admission) -> None:
        self._health = health
        self._key = key
        self._breaker = breaker
        self._admission = admission
        self._open = True

    def __enter__(self) -> "Ticket":
        """The call begins."""
        return self

    def __exit__(self, *_: object) -> None:
        """The call is over, however it went."""
        if self._open:
            self._open = False
            self._health.left(self._key, self._breaker, self._admission)

    def succeeded(self) -> None:
        """The answer was whole."""
        self._end(None)

    def failed(self, error: ProviderError) -> None:
        """It was not."""
        self._end(error)

    def _end(self, error: ProviderError | None) -> None:
        if self._open:
            self._open = False
            self._health.ended(self._key, self._breaker, self._admission, error)
