"""What the suites of the realtime ports share."""

from collections.abc import AsyncGenerator

import pytest
from uuid_utils import uuid7

from tests.support.realtime_engines import ENGINES, LOG_ENGINES, Engine, LogEngine, nowhere


@pytest.fixture(params=sorted(ENGINES))
async def engine(request: pytest.FixtureRequest, redis_url: str) -> AsyncGenerator[Engine]:
    """Give each engine in turn."""
    async with ENGINES[request.param](redis_url) as engine:
        yield engine


@pytest.fixture(params=sorted(LOG_ENGINES))
async def log_engine(request: pytest.FixtureRequest, redis_url: str) -> AsyncGenerator[LogEngine]:
    """Give each engine of the log in turn."""
    async with LOG_ENGINES[request.param](redis_url) as engine:
        yield engine


@pytest.fixture(params=sorted(ENGINES))
async def absent(request: pytest.FixtureRequest) -> AsyncGenerator[Engine]:
    """Give each engine in turn, at an address where nothing answers."""
    async with ENGINES[request.param](nowhere()) as engine:
        yield engine


@pytest.fixture
def name() -> str:
    """Give a topic or a lane that no other test uses."""
    return f"test-{uuid7().hex}"
