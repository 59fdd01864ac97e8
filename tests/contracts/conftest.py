"""What the suites of the realtime ports share."""

from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager

import pytest
from uuid_utils import uuid7

from tests.support.bent_model import BentModel
from tests.support.columns import COLUMNS, Column
from tests.support.meddler import Meddler
from tests.support.model_doubles import AimockDouble, Double, LLMockDouble, ScriptedDouble, aimock
from tests.support.realtime_engines import (
    ENGINES,
    LOG_ENGINES,
    Engine,
    LogEngine,
    nowhere,
    redis_engine,
)
from tests.support.scripted_server import ScriptedServer


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


@pytest.fixture(params=COLUMNS, ids=str)
def column(request: pytest.FixtureRequest) -> Column:
    """Give each provider in turn, on each server of its protocol."""
    return request.param


@pytest.fixture
def served_at(request: pytest.FixtureRequest, column: Column) -> str:
    """Give the address of the column's server, which answers as well as it can."""
    wire = column.wire
    match column.server:
        case "llmock":
            return LLMockDouble(request.getfixturevalue("llmock"), wire).base_url
        case "aimock":
            return AimockDouble(request.getfixturevalue("aimock_url"), wire).base_url
        case _:
            return request.getfixturevalue("model_url").removesuffix("/v1") + wire.base_path


@pytest.fixture
async def double(request: pytest.FixtureRequest, column: Column) -> AsyncGenerator[Double]:
    """Give the column's server, which fails on demand; before the real model stands a meddler that does."""
    wire = column.wire
    match column.server:
        case "llmock":
            yield LLMockDouble(request.getfixturevalue("llmock"), wire)
        case "aimock":
            yield AimockDouble(request.getfixturevalue("aimock_url"), wire)
        case "scripted":
            async with ScriptedServer() as server:
                yield ScriptedDouble(server, wire)
        case _:
            async with Meddler(request.getfixturevalue("served_at"), wire) as front:
                yield BentModel(front, wire)


@pytest.fixture
def name() -> str:
    """Give a topic or a lane that no other test uses."""
    return f"test-{uuid7().hex}"
