"""Makes a projection anew from all stored events, beside the live one, and puts it in its place.

    take    the right to rebuild (a lease of its own: the live side goes on)
    note    how far the live side was followed; the present place, where the database has forgotten that one
    walk    all stored events, conversation by conversation, into `next`
    follow  what was committed meanwhile, until nothing is left
    seize   the live side's lease: whoever follows is fenced off, nothing more is written to `live`
    follow  what came in between: a moment's work
    swap    `next` becomes `live`; the lease is seized once more, and whoever follows takes it again

Who reads is served by the old side until the swap, which is one step. Whoever follows goes on from the place that was
noted: to apply it again changes nothing, and only the live side has listeners, who are told of what happened meanwhile.
"""

from collections.abc import Callable

import structlog

from server.projections.checkpoints import Checkpoints, Hold, LeaseLost, Step
from server.projections.contract import Fact, Projection
from server.storage.event_feed import EventFeed, Token, TokenLost
from server.storage.sides import Overtaken

_log = structlog.get_logger(__name__)

_BATCH = 500
_MOMENT_MS = 20


class Busy(Exception):
    """Somebody else is rebuilding it now."""


class Rebuild:
    """One rebuild of one projection. Errors: `Busy`, `LeaseLost`, `TokenLost`, `Unavailable`."""

    def __init__(
        self,
        projection: Projection,
        feed: EventFeed,
        checkpoints: Checkpoints,
        holder: str,
        progress: Callable[[int], object] = lambda events: None,
    ) -> None:
        self._projection = projection
        self._feed = feed
        self._checkpoints = checkpoints
        self._holder = holder
        self._progress = progress
        self._events = 0
        self._last: str | None = None

    async def run(self) -> int:
        """Rebuild; returns how many events were applied."""
        name = f"{self._projection.name}.rebuild"
        right = await self._checkpoints.take(name, self._holder)
        if right is None:
            raise Busy(self._projection.name)
        try:
            async with self._checkpoints.keeping(right):
                await self._run(right)
        except Overtaken as error:
            raise LeaseLost(name) from error
        finally:
            await self._checkpoints.forget(right)
        return self._events

    async def _run(self, right: Hold) -> None:
        _log.info("rebuilding", projection=self._projection.name)
        begun = await self._begun()
        await self._projection.prepare("next")
        async for facts in self._feed.stored(_BATCH):
            await self._apply(facts)
            await self._checkpoints.renew(right)
        token = await self._catch_up(begun, right)
        hold = await self._seize()
        async with self._checkpoints.keeping(hold):
            await self._catch_up(token, right)
            await self._projection.swap()
        # Once more: had this process slept, somebody would have gone on with what was live before, and saved his place.
        hold = await self._seize()
        said = {"version": self._projection.version, "rebuilt_at": "$$NOW"}
        await self._checkpoints.save(hold, Step(begun, self._events, self._last, said))
        await self._checkpoints.release(hold)
        _log.info("rebuilt", projection=self._projection.name, events=self._events)

    async def _begun(self) -> Token:
        """How far the live side was followed: who has listened to it is told of what came after that."""
        place = await self._checkpoints.place(self._projection.name)
        if place is not None:
            try:
                async with self._feed.changes(place, _MOMENT_MS) as changes:
                    await changes.batch(1)
            except TokenLost:
                _log.info("not followed as far back as the live side", projection=self._projection.name)
            else:
                return place
        return await self._feed.now()

    async def _seize(self) -> Hold:
        hold = await self._checkpoints.take(self._projection.name, self._holder, by_force=True)
        assert hold is not None
        return hold

    async def _catch_up(self, token: Token, right: Hold) -> Token:
        """Apply what came after a place, until there is no more than what comes at this moment."""
        async with self._feed.changes(token, _MOMENT_MS) as changes:
            while True:
                heard = await changes.batch(_BATCH)
                await self._apply(heard.facts)
                await self._checkpoints.renew(right)
                if len(heard.facts) < _BATCH:
                    return heard.token

    async def _apply(self, facts: list[Fact]) -> None:
        if facts:
            await self._projection.apply(facts, "next")
            self._events += len(facts)
            self._last = max(self._last or "", *(fact.id for fact in facts))
            self._progress(self._events)
