"""How many jobs wait in the lanes, and how many are worked on, for `/metrics`: asked every few seconds."""

import asyncio
from collections.abc import Iterable, Sequence

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from realtime.errors import Unavailable
from realtime.queue.contract import Queue

_log = structlog.get_logger(__name__)

_EVERY_SECONDS = 5.0


class Depth(Collector):
    """Run `watch`; register the rest with the metrics. While the queue is away it tells nothing."""

    def __init__(self, queue: Queue, lanes: Sequence[str]) -> None:
        self._queue = queue
        self._lanes = list(lanes)
        self._known: dict[str, tuple[int, int]] = {}

    async def watch(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                self._known = {lane: await self._queue.depth(lane) for lane in self._lanes}
            except Unavailable:
                self._known = {}
                _log.info("cannot ask how many jobs wait")
            await asyncio.sleep(_EVERY_SECONDS)

    def collect(self) -> Iterable[Metric]:
        """The figures."""
        waiting = GaugeMetricFamily("tertulia_queue_waiting", "Jobs of a lane that wait.", labels=["lane"])
        working = GaugeMetricFamily(
            "tertulia_queue_working", "Jobs of a lane that are worked on.", labels=["lane"]
        )
        for lane, (ahead, begun) in self._known.items():
            waiting.add_metric([lane], ahead)  # pyright: ignore[reportUnknownMemberType]: untyped
            working.add_metric([lane], begun)  # pyright: ignore[reportUnknownMemberType]: untyped
        return [waiting, working]
