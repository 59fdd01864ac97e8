"""One server of a cluster is away: what lives on the others is written, once, and its writer is told which was not."""

import gc
import warnings
from collections.abc import Generator
from pathlib import Path

import pytest

from realtime.errors import Unavailable
from realtime.log.contract import Position, Record
from realtime.log.redis import RedisLog, channel
from realtime.redis import command_client
from tests.support.valkey_fleet import Cluster, cluster

_FIRST = 16_384 // 3


async def _topic(fleet: Cluster, *, first: bool) -> str:
    """A topic on the first server, or on another one."""
    for n in range(1000):
        slot: int = await fleet.primaries[0].ask("CLUSTER", "KEYSLOT", channel(f"cnv_{n}"))
        if (slot < _FIRST) is first:
            return f"cnv_{n}"
    raise AssertionError("no such topic")


@pytest.fixture(autouse=True)
def _left_behind() -> Generator[None]:
    """Collect the connections to the dead server, which redis-py lets go of without closing them."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.timeout(90)
async def test_what_can_be_written_is_written_once(tmp_path: Path) -> None:
    """The others' topics have their positions; that of the dead server has `Unavailable`, and alone it raises that."""
    async with cluster(tmp_path) as fleet, command_client(fleet.url) as client:
        gone, there = await _topic(fleet, first=True), await _topic(fleet, first=False)
        for server in fleet.primaries[1:]:  # the others go on serving what they have
            await server.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
        log = RedisLog(client)
        records = [Record(b'{"n":1}'), Record(b'{"n":2}')]
        await log.append_many([(gone, records), (there, records)])
        await fleet.primaries[0].process.close()
        lost, written = await log.append_many([(gone, records), (there, records)])
        assert [type(one) for one in lost] == [Unavailable, Unavailable]
        assert [one.offset for one in written if isinstance(one, Position)] == [3, 4]
        with pytest.raises(Unavailable):
            await log.append(gone, records)
