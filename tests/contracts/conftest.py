"""What the suites of the realtime ports share."""

from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager

import pytest
from uuid_utils import uuid7

from tests.support.model_doubles import aimock
from tests.support.realtime_engines import (
    ENGINES,
    LOG_ENGINES,
    Engine,
    LogEngine,
    nowhere,
    redis_engine,
)


@pytest.fixture(params=sorted(ENGINES))
def engine_url(request: pytest.FixtureRequest) -> str:
    """Give the address of each engine in turn."""
    return request.getfixturevalue(ENGINES[request.param])


@pytest.fixture
async def engine(engine_url: str) -> AsyncGenerator[Engine]:
    """Give each engine in turn."""
    async with redis_engine(engine_url) as engine:
        yield engine


@pytest.fixture(params=sorted(LOG_ENGINES))
def log_engine_opened(request: pytest.FixtureRequest) -> AbstractAsyncContextManager[LogEngine]:
    """Give each engine of the log in turn, not yet connected to."""
    connect, address = LOG_ENGINES[request.param]
    return connect(request.getfixturevalue(address))


@pytest.fixture
async def log_engine(
    log_engine_opened: AbstractAsyncContextManager[LogEngine],
) -> AsyncGenerator[LogEngine]:
    """Give each engine of the log in turn."""
    async with log_engine_opened as engine:
        yield engine


@pytest.fixture(params=sorted(ENGINES))
async def absent(request: pytest.FixtureRequest) -> AsyncGenerator[Engine]:
    """Give each engine in turn, at an address where nothing answers."""
    async with redis_engine(nowhere(request.param)) as engine:
        yield engine


@pytest.fixture(scope="session")
def aimock_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Give the address of aimock, which runs as long as the session."""
    with aimock(tmp_path_factory.mktemp("aimock")) as url:
        yield url


@pytest.fixture
def name() -> str:
    """Give a topic or a lane that no other test uses."""
    return f"test-{uuid7().hex}"
