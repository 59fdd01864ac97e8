"""Logs and metrics of a process."""

import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import structlog
from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

_STATES = {"closed": 0.0, "half_open": 1.0, "open": 2.0}


def configure_logging(form: Literal["text", "json"], process: str) -> None:
    """One line per event on stderr; the standard library's loggers end in the same place."""
    structlog.contextvars.bind_contextvars(process=process)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    # A traceback without the values of its variables: those are what people say, and the keys of the house; and to
    # print them all took two seconds, in which a process serves nobody.
    if form == "json":
        plain = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        rendering: list[Any] = [
            structlog.processors.ExceptionRenderer(plain),
            structlog.processors.JSONRenderer(),
        ]
    else:
        traceback = structlog.dev.plain_traceback
        rendering = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=traceback)]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    for chatty in ("httpx", "httpx2", "httpcore2", "openai", "anthropic", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


class BreakerStates(Collector):
    """How each provider and model stands, read when asked for: 0 closed, 1 half-open, 2 open."""

    def __init__(self, states: Callable[[], Mapping[str, str]]) -> None:
        self._states = states

    def collect(self) -> Iterable[Metric]:
        """One line for each that was ever asked, or heard of."""
        family = GaugeMetricFamily(
            "tertulia_breaker",
            "Providers: 0 asked, 1 tried carefully, 2 resting.",
            labels=["provider", "model"],
        )
        for key, state in self._states().items():
            provider, _, model = key.partition("/")
            family.add_metric([provider, model], _STATES[state])
        yield family


class CacheReads(Collector):
    """From which level of the cache answers came, and whether this process hears what others change."""

    def __init__(
        self, counts: Mapping[tuple[str, str], int], hears: Callable[[], bool], entries: Callable[[], int]
    ) -> None:
        self._counts = counts
        self._hears = hears
        self._entries = entries

    def collect(self) -> Iterable[Metric]:
        """One line for each kind and level."""
        family = CounterMetricFamily(
            "tertulia_cache_reads",
            "Answers of the cache by where they came from: memory, redis, database, or another's load.",
            labels=["kind", "level"],
        )
        for (kind, level), count in self._counts.items():
            family.add_metric([kind, level], count)
        yield family
        yield GaugeMetricFamily(
            "tertulia_cache_hears", "1: what this process keeps may be believed.", float(self._hears())
        )
        yield GaugeMetricFamily("tertulia_cache_entries", "Values kept in this process.", self._entries())


def metrics_registry(
    figures: Mapping[str, tuple[str, Callable[[], float]]], *collectors: Collector
) -> CollectorRegistry:
    """A registry with the process's own figures, and those given, read when asked for: by name, what it is, and how.

    A name that ends with `_total` is of a counter, any other of a gauge.
    """
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    for collector in (*collectors, _Figures(figures)):
        registry.register(collector)
    return registry


class _Figures(Collector):
    """Figures that are read when asked for."""

    def __init__(self, figures: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        """One family for each."""
        for name, (description, read) in self._figures.items():
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield kind(f"tertulia_{name}", description, read())
