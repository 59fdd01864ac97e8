"""The last step of every test in which something dies: whether all promises were kept."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from tests.support.engine_run import engine_run
from tests.support.house import House, clean_environment, run


def check_kept(house: House, young: float) -> None:
    """Run `python -m server audit`. A reply accepted less than `young` seconds ago may be on its way."""
    _check(house.environment, young)


async def assert_kept(house: House, young: float = 0) -> None:
    """The same, while other things go on."""
    await asyncio.to_thread(check_kept, house, young)


async def assert_kept_at_its_end(house: House) -> None:
    """The same, for `House.at_its_end`."""
    await assert_kept(house, house.young)


def check_kept_in(folder: Path) -> None:
    """The same over what an `up`, which has ended, has left in its folder."""
    with engine_run(folder, "mongodb", "valkey") as engines:
        assert engines.urls.mongodb
        assert engines.urls.redis
        urls = {"CHAT_MONGODB_URL": engines.urls.mongodb, "CHAT_REDIS_URL": engines.urls.redis}
        _check(clean_environment(**urls), 0)


def _check(environment: Mapping[str, str], young: float) -> None:
    done = run("audit", "--young", str(young), environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
