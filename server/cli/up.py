"""`python -m server up`: everything on this machine, with engines of our own where no URL is set."""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack

import httpx2

from server.cli.processes import check_port, on_stop
from server.embedded.child import Child, Program, Say
from server.embedded.engines import EngineURLs, Wanted, embedded
from server.embedded.port import free_port
from server.settings import Settings
from server.wiring import ensure_secret

_DRAIN_SECONDS = 35.0


async def up(settings: Settings, say: Say) -> None:
    """Run until Ctrl-C or SIGTERM. Errors: `EmbeddedError`, `NotConfigured`."""
    stop = _Stop()
    on_stop(stop)
    settings = ensure_secret(settings)
    port = settings.port or free_port()
    check_port(settings.host, port)
    wanted = Wanted(
        data_dir=settings.data_dir,
        start_mongodb=settings.mongodb_url is None,
        start_valkey=settings.redis_url is None,
        start_model=settings.local_model_url is None
        and (not settings.has_provider or settings.provider == "local"),
        say=say,
    )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        async with AsyncExitStack() as stack:
            await _start(stack, settings, port, wanted)
            say(f"Tertulia is ready at http://{host}:{port}   (Ctrl-C stops it)")
            stop.disarm()
            await stop.event.wait()
            say("stopping: replies that are being written may finish")
    except asyncio.CancelledError:
        say("stopped before it was ready")


class _Stop:
    """While it starts, a signal cancels; once it runs, a signal sets the event."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self._task = asyncio.current_task()

    def disarm(self) -> None:
        """From now on nothing is cancelled."""
        self._task = None

    def __call__(self) -> None:
        self.event.set()
        if self._task is not None:
            self._task.cancel()
            self._task = None


async def _start(stack: AsyncExitStack, settings: Settings, port: int, wanted: Wanted) -> None:
    urls = await stack.enter_async_context(embedded(wanted))
    environment = _environment(settings, port, urls)
    # The web process is closed last of these: a worker that drains still has clients who watch.
    programs = [_web(settings, port, environment)]
    programs += [_worker(settings, number, environment) for number in range(1, settings.workers + 1)]
    children = [await stack.enter_async_context(Child(program, wanted.say)) for program in programs]
    for child in children:
        await child.wait_ready()


def _environment(settings: Settings, port: int, urls: EngineURLs) -> dict[str, str]:
    assert settings.auth_secret is not None
    said = {
        "CHAT_PORT": str(port),
        "CHAT_DATA_DIR": str(settings.data_dir.resolve()),
        "CHAT_AUTH_SECRET": settings.auth_secret.get_secret_value(),
        "CHAT_AUTH": settings.auth or ("guest" if settings.guests else "token"),
        "CHAT_MONGODB_URL": settings.mongodb_url or urls.mongodb,
        "CHAT_REDIS_URL": settings.redis_url or urls.redis,
        "CHAT_LOCAL_MODEL_URL": settings.local_model_url or urls.model,
        "PYTHONUNBUFFERED": "1",
    }
    return {name: value for name, value in said.items() if value is not None}


def _web(settings: Settings, port: int, environment: Mapping[str, str]) -> Program:
    local = settings.host if settings.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - not a bind

    async def ready() -> bool:
        try:
            # Plain HTTP: nothing to verify, and loading the certificates takes 45 ms of each of these probes.
            async with httpx2.AsyncClient(trust_env=False, timeout=4, verify=False) as client:
                return (await client.get(f"http://{local}:{port}/readyz")).is_success
        except httpx2.TransportError:
            return False

    return Program(
        name="web",
        argv=[sys.executable, "-m", "server", "web"],
        log=settings.data_dir / "logs" / "web.log",
        ready=ready,
        environment=environment,
        stop_within=_DRAIN_SECONDS,
    )


def _worker(settings: Settings, number: int, environment: Mapping[str, str]) -> Program:
    ready_file = settings.data_dir.resolve() / f"worker-{number}.ready"

    async def ready() -> bool:
        return ready_file.exists()

    return Program(
        name=f"worker-{number}",
        argv=[sys.executable, "-m", "server", "worker", "--ready-file", str(ready_file)],
        log=settings.data_dir / "logs" / f"worker-{number}.log",
        ready=ready,
        prepare=lambda: ready_file.unlink(missing_ok=True),
        environment=environment,
        stop_within=_DRAIN_SECONDS,
    )
