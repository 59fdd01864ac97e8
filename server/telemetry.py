"""Logs and metrics of a process."""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal

import structlog
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector


def configure_logging(form: Literal["text", "json"], process: str) -> None:
    """One line per event on stderr; the standard library's loggers end in the same place."""
    structlog.contextvars.bind_contextvars(process=process)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if form == "json":
        rendering: list[Any] = [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    else:
        rendering = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
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


def metrics_registry(gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> CollectorRegistry:
    """A registry with the process's own figures, and gauges that are read when asked for."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    for name, (description, read) in gauges.items():
        Gauge(f"tertulia_{name}", description, registry=registry).set_function(read)
    return registry
