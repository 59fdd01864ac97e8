"""The token path through other servers, beside ours and the bare loops, in one run and on the same paced model.

Each lives in an environment of its own (`make bench-peers` makes them, under `.peers/`), since nothing of ours needs
it, and is asked as its own clients ask it: LiteLLM's proxy over OpenAI's protocol, a Chainlit app over the Socket.IO of
its page. Nothing leaves the machine: what they would report or fetch is switched off, and other doors lead nowhere.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from server.embedded.port import LOOPBACK, free_port
from tests.benchmarks import tokens
from tests.benchmarks.machine import LOAD_CORE, SERVER_CORE
from tests.benchmarks.processes import Process, Stuck, module, running
from tests.benchmarks.servers.paced_model import model
from tests.benchmarks.tertulia import Engines

_ROOT = Path(__file__).parents[2]
_PLACE = _ROOT / ".peers"
_START_SECONDS = 120.0
_POLL_SECONDS = 0.2
_NOWHERE = f"http://{LOOPBACK}:9"
_AT_HOME = {
    "HTTP_PROXY": _NOWHERE,
    "HTTPS_PROXY": _NOWHERE,
    "ALL_PROXY": _NOWHERE,
    "NO_PROXY": f"{LOOPBACK},localhost",
    "OTEL_SDK_DISABLED": "true",
    "TRACELOOP_TELEMETRY": "false",
    "DO_NOT_TRACK": "1",
}
_LENGTHS = (10, 100, 200)
"""Of all answers that are asked for: a proxy wants its models named."""


@dataclass(frozen=True)
class Missing:
    """A peer, or what follows of it, that could not be measured."""

    reader: str
    why: str


@dataclass(frozen=True)
class _Peer:
    name: str
    how: str
    run: Callable[[Engines, str, Path], AbstractAsyncContextManager[tuple[Process, Process]]]
    """A server of it before the model at an address, and who reads from it."""


async def measure(
    engines: Engines, url: str, streams: list[int], length: tokens.Length, place: tokens.Place
) -> AsyncGenerator[tokens.Figure | Missing]:
    """All figures: the bare loops', ours, then each peer's as far as it comes. Errors: `Stuck`, for ours alone."""
    async for figure in tokens.measure(engines, url, streams, length, place):
        yield figure
    for peer in _PEERS:
        home = _PLACE / peer.name.lower()
        version = _version(home, peer.name.lower())
        if version is None:
            yield Missing(peer.name, "is not installed; `make bench-peers` installs it")
            continue
        place.name, reader = f"{peer.name}, its start", f"{peer.name} {version}"
        try:
            async with peer.run(engines, url, home / "bin") as (server, client):
                servers = {peer.name: server}
                yield tokens.Resident(reader, "once it listens", server.resident)
                async for figure in tokens.read(client, reader, peer.how, streams, length, servers, place):
                    yield figure
        except Stuck as error:
            yield Missing(reader, f"got stuck at {place.name}: {str(error).splitlines()[0]}")


def _version(home: Path, package: str) -> str | None:
    """Of what `make bench-peers` has installed there, if it has."""
    if not (home / ".installed").exists():
        return None
    found = list(home.glob(f"lib/python*/site-packages/{package}-*.dist-info"))
    return found[0].name.removesuffix(".dist-info").rpartition("-")[2] if found else None


@asynccontextmanager
async def _litellm(engines: Engines, url: str, programs: Path) -> AsyncGenerator[tuple[Process, Process]]:
    port, config = free_port(), engines.folder / "litellm.json"
    params = {"api_base": url, "api_key": "none"}
    models = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", **params}}
        for name in map(model, _LENGTHS)
    ]
    config.write_text(json.dumps({"model_list": models, "litellm_settings": {"telemetry": False}}))
    arguments = [str(programs / "litellm"), "--config", str(config), "--host", LOOPBACK]
    arguments += ["--port", str(port), "--telemetry", "False"]
    environment = {
        **_AT_HOME,
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        # Nobody but us is there, and a key would cost it a little more.
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        "LITELLM_TELEMETRY": "False",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
        "LITELLM_LOCAL_BLOG_POSTS": "True",
        "DISABLE_ADMIN_UI": "True",
    }
    async with _server(engines, arguments, environment, port, "/health/liveliness") as server:
        reader = module("tests.benchmarks.servers.bare_streams", "raw", f"http://{LOOPBACK}:{port}/v1")
        async with running(reader, core=LOAD_CORE, folder=engines.folder) as client:
            await client.hear()
            yield server, client


@asynccontextmanager
async def _chainlit(engines: Engines, url: str, programs: Path) -> AsyncGenerator[tuple[Process, Process]]:
    port, home = free_port(), engines.folder / "chainlit"
    home.mkdir()
    app = Path(__file__).with_name("servers") / "chainlit_app.py"
    arguments = [str(programs / "chainlit"), "run", str(app), "--headless", "--host", LOOPBACK]
    arguments += ["--port", str(port)]
    environment = {**_AT_HOME, "CHAINLIT_APP_ROOT": str(home), "BENCH_MODEL_URL": url}
    async with _server(engines, arguments, environment, port, "/") as server:
        visiting = ["-m", "tests.benchmarks.chainlit_visitors", f"http://{LOOPBACK}:{port}"]
        visitors = [str(programs / "python"), *visiting]
        async with running(visitors, core=LOAD_CORE, folder=engines.folder, environment=_AT_HOME) as client:
            await client.hear()
            yield server, client


@asynccontextmanager
async def _server(
    engines: Engines, arguments: list[str], environment: dict[str, str], port: int, path: str
) -> AsyncGenerator[Process]:
    """Run it until it answers, and for as long as the body. Errors: `Stuck`."""
    async with running(arguments, core=SERVER_CORE, folder=engines.folder, environment=environment) as server:
        url = f"http://{LOOPBACK}:{port}{path}"
        until = asyncio.get_running_loop().time() + _START_SECONDS
        async with httpx2.AsyncClient(trust_env=False, verify=False, timeout=10) as client:
            while not await _answers(client, url):
                if server.has_ended or asyncio.get_running_loop().time() > until:
                    raise Stuck(f"{Path(arguments[0]).name} does not answer\n{server.said()}")
                await asyncio.sleep(_POLL_SECONDS)
        yield server


async def _answers(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx2.TransportError:
        return False


_PEERS = (
    _Peer("LiteLLM", "proxy, HTTP", _litellm),
    _Peer("Chainlit", "app, Socket.IO", _chainlit),
)
