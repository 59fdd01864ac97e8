"""Many model streams open at once: what they hold of memory in worker and web, and how long each took to begin."""

from dataclasses import dataclass

from tests.benchmarks.fanout import following
from tests.benchmarks.holding import FIRST_SECONDS
from tests.benchmarks.processes import CHATTING, HOLDING, clients
from tests.benchmarks.servers.paced_model import FIRST_TOKEN_SECONDS
from tests.benchmarks.tertulia import Engines, tertulia

_WARM_UP = 20
_PER_SECOND = 2
"""Tokens of each stream: its memory is wanted, not its tokens."""
_LONG = 10_000
_GAP = 0.04
"""Between two sends: 25 a second."""


@dataclass(frozen=True)
class Held:
    """Resident memory of a process, in bytes."""

    process: str
    before: int
    """With all sockets open, and nothing to do."""
    during: int
    """With all streams in the middle."""
    after: int
    """Once all have been stopped."""


@dataclass(frozen=True)
class Begun:
    """Milliseconds from a send to the first token, beyond the model's own."""

    streams: int
    median: float
    worst: float
    """The 99th percentile."""


async def measure(engines: Engines, model_url: str, streams: int) -> tuple[list[Held], Begun]:
    """Open them, one after the other, look, and stop them all."""
    concurrency = {"CHAT_WORKER_CONCURRENCY": str(streams)}
    async with tertulia(engines, model_url, worker=True, settings=concurrency) as ours:
        assert ours.worker
        processes = {"web": ours.web, "worker": ours.worker}
        conversations = await ours.conversations(streams + _WARM_UP)
        async with clients(CHATTING, following(ours, conversations[streams:]), engines.folder) as chatters:
            await chatters.tell(f"go {_WARM_UP} 2 10 0.05")
            await chatters.hear(60)
        async with clients(HOLDING, following(ours, conversations[:streams]), engines.folder) as holders:
            before = {name: process.resident for name, process in processes.items()}
            await holders.tell(f"hold {_LONG} {_PER_SECOND} {_GAP}")
            told = await holders.hear(streams * _GAP + FIRST_SECONDS + 30)
            during = {name: process.resident for name, process in processes.items()}
            await holders.tell("release")
            await holders.hear(90)
            after = {name: process.resident for name, process in processes.items()}
    added = sorted((seconds - FIRST_TOKEN_SECONDS) * 1e3 for seconds in told["first"])
    begun = Begun(streams, added[streams // 2], added[min(streams - 1, int(0.99 * streams))])
    return [Held(name, before[name], during[name], after[name]) for name in processes], begun
