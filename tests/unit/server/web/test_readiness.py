"""Ready means delivering, and nothing less: also where the log began anew, and however many ask."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from realtime.hub import Hub
from server.web import readiness
from server.web.readiness import Canary
from tests.support.scripted_log import ScriptedFeed, ScriptedLog

TOPIC = "canary-here"


class Answering:
    """A database that is there."""

    @property
    def admin(self) -> "Answering":
        """Itself."""
        return self

    async def command(self, name: str) -> None:
        """Answer."""


@asynccontextmanager
async def canary(log: ScriptedLog) -> AsyncGenerator[Canary]:
    """A canary in front of a hub that runs."""
    hub = Hub(log, ScriptedFeed(log))
    async with asyncio.TaskGroup() as group:
        tasks = hub.start(group)
        yield Canary(hub, log, cast("Any", Answering()), "here")
        for task in tasks:
            task.cancel()


async def test_a_log_that_began_anew_proves_nothing_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was heard often; then the engine loses all, and nothing is delivered any more: that is not ready."""
    monkeypatch.setattr(readiness, "_SECONDS", 0.1)
    log = ScriptedLog()
    async with canary(log) as singer:
        for _ in range(3):
            assert await singer.sing() == {}
        log.empty(TOPIC)
        log.silent = True
        assert (await singer.sing()).keys() == {"delivery"}
        log.silent = False
        await singer.sing()  # a publication that was lost is found with the next one
        assert await singer.sing() == {}


async def test_a_crowd_hears_one_song(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask while nothing comes back, each waits for no more than two songs."""
    monkeypatch.setattr(readiness, "_SECONDS", 0.1)
    log = ScriptedLog()
    async with canary(log) as singer:
        assert await singer.sing() == {}
        log.silent = True
        before = len(log.batches)
        heard = await asyncio.gather(*(singer.sing() for _ in range(50)))
        assert {tuple(wrong) for wrong in heard} == {("delivery",)}
        assert len(log.batches) - before <= 2
