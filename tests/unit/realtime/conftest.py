"""A hub, its log and its feed; and a lobby with connections to one."""

from collections.abc import AsyncGenerator

import pytest

from realtime.hub import Hub
from tests.support.lobby import Lobby, open_lobby
from tests.support.scripted_log import ScriptedFeed, ScriptedLog
from tests.support.subscriber import running


@pytest.fixture
def log() -> ScriptedLog:
    """Give a log that loses what it is told to lose."""
    return ScriptedLog()


@pytest.fixture
def feed(log: ScriptedLog) -> ScriptedFeed:
    """Give its feed."""
    return ScriptedFeed(log)


@pytest.fixture
async def hub(log: ScriptedLog, feed: ScriptedFeed) -> AsyncGenerator[Hub]:
    """Give a running hub that checks positions so seldom that no test sees it."""
    async with running(Hub(log, feed, check_seconds=1000)) as hub:
        yield hub


@pytest.fixture
async def lobby() -> AsyncGenerator[Lobby]:
    """Give a lobby whose hub runs."""
    async with open_lobby() as lobby:
        yield lobby
