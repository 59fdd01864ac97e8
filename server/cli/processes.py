"""One process of the Procfile: run until it is told to stop, and then stop in order."""

import asyncio
import gc
import random
import signal
import socket
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
import uvicorn
import uvloop
from prometheus_client import start_http_server

from server import wiring
from server.settings import Settings
from server.web.chat import HEARTBEAT_SECONDS
from server.web.heartbeat import beat
from server.web.lines import Lines
from server.web.ready_frames import ReadyFrames

_log = structlog.get_logger(__name__)

_OBJECTS_BETWEEN = 10_000
_GOODBYE_SECONDS = 5.0
_SPREAD_SECONDS = (0.5, 3.0)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a process's work on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)


def on_stop(tell: Callable[[], object]) -> None:
    """Call `tell` at SIGTERM and Ctrl-C, in place of dying."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell)


def check_port(host: str, port: int) -> None:
    """Errors: `NotConfigured`, where a web process could not listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise wiring.NotConfigured(
                f"Port {port} of {host} cannot be used ({error.strerror}). "
                "Stop what is there, or choose another with CHAT_PORT (0 lets the system choose)."
            ) from None


def _settle() -> None:
    """What was made to begin with stays: the garbage collector need not walk through it again and again.

    It took a tenth of a second, in which nobody is served, whenever a crowd had connected. It looks less often, too: a
    crowd is no garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN, 10, 10)


async def serve_web(settings: Settings) -> None:
    """`python -m server web`. Errors: those of `wiring.core`."""
    check_port(settings.host, settings.port)
    async with wiring.web(settings) as web:
        _settle()
        config = uvicorn.Config(
            web.app,
            host=settings.host,
            port=settings.port,
            http=Lines,
            ws=ReadyFrames,
            ws_max_size=wiring.SOCKET_LIMITS.frame,
            ws_ping_interval=None,  # the heartbeat does it
            ws_per_message_deflate=False,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=10,
        )
        server = _Server(config, web, settings.drain_seconds)
        async with asyncio.TaskGroup() as group:
            beating = group.create_task(beat(server.server_state.connections, HEARTBEAT_SECONDS))
            await server.serve()
            beating.cancel()


async def serve_worker(settings: Settings, ready_file: Path | None) -> None:
    """`python -m server worker`: claims until it is told to stop, then finishes what it has."""
    stopping = asyncio.Event()
    on_stop(stopping.set)
    async with wiring.worker(settings) as worker:
        _settle()
        if settings.worker_metrics_port is not None:
            server, _ = start_http_server(settings.worker_metrics_port, settings.host, worker.metrics)
            _log.info("measuring", url=f"http://{settings.host}:{server.server_port}/metrics")
        _log.info("working", concurrency=settings.worker_concurrency)
        if ready_file is not None:
            await asyncio.to_thread(ready_file.touch)
        await worker.runner.run(stopping)


class _Server(uvicorn.Server):
    """uvicorn, but it says goodbye to its clients, and leaves the process alive to close what it stands on."""

    def __init__(self, config: uvicorn.Config, web: wiring.Web, window: float) -> None:
        super().__init__(config)
        self._web = web
        self._window = window

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """The parent's raises the signal again once it has served, in the midst of our own closing."""
        on_stop(self._stop)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As the parent's; says where."""
        await super().startup(sockets)
        for server in self.servers:
            for listening in server.sockets:
                host, port = listening.getsockname()[:2]
                _log.info("listening", url=f"http://{host}:{port}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new clients, send the present ones elsewhere one by one, then stop as the parent does."""
        for server in self.servers:
            server.close()
        # A spread, and not secrecy.
        leaving = [
            connection.leave(round(random.uniform(*_SPREAD_SECONDS), 2), random.uniform(0, self._window))  # noqa: S311 - see above
            for connection in [*self._web.sockets, *self._web.streams]
        ]
        if leaving:
            _log.info("saying goodbye", clients=len(leaving))
            try:
                async with asyncio.timeout(self._window + _GOODBYE_SECONDS):
                    await asyncio.gather(*leaving, return_exceptions=True)
            except TimeoutError:
                _log.warning("some clients did not take the goodbye")
        await super().shutdown(sockets)

    def _stop(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
