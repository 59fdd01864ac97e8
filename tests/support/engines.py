"""The real engines of a test session: one MongoDB, one Valkey and, for the tests that ask, one model.

Tests share them: each takes a database, or a key prefix, of its own.
"""

import asyncio
from collections.abc import Generator

import pytest

from server.embedded.engines import EngineURLs
from tests.support.engine_run import engine_run
from tests.support.valkey_fleet import cluster, watched


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Generator[EngineURLs]:
    """Give the URLs of a MongoDB and a Valkey that live as long as the session."""
    with engine_run(tmp_path_factory.mktemp("engines"), "mongodb", "valkey") as run:
        yield run.urls


@pytest.fixture(scope="session")
def mongodb_url(engines: EngineURLs) -> str:
    """Give the address of the session's MongoDB, a replica set of one."""
    assert engines.mongodb
    return engines.mongodb


@pytest.fixture(scope="session")
def redis_url(engines: EngineURLs) -> str:
    """Give the address of the session's Valkey."""
    assert engines.redis
    return engines.redis


@pytest.fixture(scope="session")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Give the address of a real cluster, started for the first test that asks."""
    with asyncio.Runner() as runner:
        running = cluster(tmp_path_factory.mktemp("cluster"))
        try:
            yield runner.run(running.__aenter__()).url
        finally:
            runner.run(running.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def sentinel_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Give the address of a primary by way of its sentinel, started for the first test that asks."""
    with asyncio.Runner() as runner:
        running = watched(tmp_path_factory.mktemp("watched"), down_after_ms=10_000)
        try:
            yield runner.run(running.__aenter__()).url
        finally:
            runner.run(running.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def model_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Give the base URL (`…/v1`) of the real language model, started for the first test that asks."""
    with engine_run(tmp_path_factory.mktemp("model"), "model") as run:
        assert run.urls.model
        yield run.urls.model
