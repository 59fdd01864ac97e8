"""Follows the stored events for one projection, wherever its lease is free: one process at a time, any number ready.

A projection that was never built, that other code built, or whose place the database has forgotten, is rebuilt.
"""

import asyncio

import structlog

from server.domain.errors import Unavailable
from server.projections.checkpoints import Checkpoints, Hold, LeaseLost, Step
from server.projections.contract import Projection
from server.projections.rebuild import Busy, Rebuild
from server.storage.event_feed import Heard, Token, TokenLost
from server.storage.event_tail import EventTail

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS = 1.0
_SAVE_IDLE_SECONDS = 3.0


class Follower:
    """`run` follows until it is cancelled; what goes wrong is tried again."""

    def __init__(
        self,
        projection: Projection,
        tail: EventTail,
        checkpoints: Checkpoints,
        holder: str,
    ) -> None:
        self._projection = projection
        self._tail = tail
        self._checkpoints = checkpoints
        self._holder = holder

    async def run(self) -> None:
        """Follow."""
        while True:
            try:
                if await self._once():
                    continue
            except Unavailable as error:
                _log.warning("cannot follow now", projection=self._projection.name, error=str(error))
            except LeaseLost:
                _log.info("a projection is in other hands", projection=self._projection.name)
            except Busy:
                pass  # it is being rebuilt elsewhere; until then there is nothing to follow
            except Exception:  # noqa: BLE001 - the follower's boundary: a bug here must not take the worker with it
                _log.exception("a bug in a projection", projection=self._projection.name)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _once(self) -> bool:
        """Follow for as long as it goes; returns whether to go on at once."""
        hold = await self._checkpoints.take(self._projection.name, self._holder)
        if hold is None:
            return False
        try:
            async with self._checkpoints.keeping(hold):
                await self._go_on(hold)
        finally:
            await self._checkpoints.release(hold)
        return True

    async def _go_on(self, hold: Hold) -> None:
        if hold.token is None or hold.version != self._projection.version:
            await self._rebuild()
            return
        try:
            await self._follow(hold, hold.token)
        except TokenLost:
            _log.error(
                "the database has forgotten the place of a projection: rebuilding it from all events",
                projection=self._projection.name,
            )
            await self._rebuild()

    async def _rebuild(self) -> None:
        await Rebuild(self._projection, self._tail.feed, self._checkpoints, self._holder).run()

    async def _follow(self, hold: Hold, token: Token) -> None:
        loop = asyncio.get_running_loop()
        async with self._tail.following(token) as following:
            _log.info("following", projection=self._projection.name)
            saved = loop.time()
            while True:
                heard = await following.batch()
                if heard.facts or loop.time() > saved + _SAVE_IDLE_SECONDS:
                    await self._take_in(hold, heard)
                    saved = loop.time()

    async def _take_in(self, hold: Hold, heard: Heard) -> None:
        """Apply, then move the place: whoever dies in between applies them again, which changes nothing."""
        if heard.facts:
            await self._projection.apply(heard.facts, "live")
        last = max((fact.id for fact in heard.facts), default=None)
        try:
            await self._checkpoints.save_with_others(hold, Step(heard.token, len(heard.facts), last))
        except LeaseLost:
            # Somebody went on meanwhile. What was looked at before that, and written or told after it, is made good.
            await self._projection.apply(heard.facts, "live")
            raise
