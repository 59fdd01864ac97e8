"""How far the projections are behind, for `/metrics`: asked every few seconds, and told as it was last."""

import asyncio
from collections.abc import Iterable, Sequence

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from server.domain.errors import Unavailable
from server.projections.checkpoints import Checkpoints, Progress

_log = structlog.get_logger(__name__)

_EVERY_SECONDS = 5.0


class Lag(Collector):
    """Run `watch`; register the rest with the metrics."""

    def __init__(self, checkpoints: Checkpoints, names: Sequence[str]) -> None:
        self._checkpoints = checkpoints
        self._names = list(names)
        self._known: list[Progress] = []

    async def watch(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                self._known = await self._checkpoints.progress(self._names)
            except Unavailable:
                _log.info("cannot ask how far the projections are")
            await asyncio.sleep(_EVERY_SECONDS)

    def collect(self) -> Iterable[Metric]:
        """The figures."""
        lag = GaugeMetricFamily(
            "tertulia_projection_lag_seconds",
            "Age of the oldest event that a projection has not applied.",
            labels=["projection"],
        )
        held = GaugeMetricFamily(
            "tertulia_projection_followed",
            "Whether a process follows the events for a projection.",
            labels=["projection"],
        )
        for one in self._known:
            lag.add_metric([one.name], one.lag)  # pyright: ignore[reportUnknownMemberType]: untyped
            held.add_metric([one.name], 1.0 if one.holder else 0.0)  # pyright: ignore[reportUnknownMemberType]: untyped
        return [lag, held]
