"""Which engines run on a data folder: said in a file there, for the commands that an operator gives beside `up`."""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from server.embedded.data_dir import is_held

_NAME = "engines.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineURLs:
    """Where the started engines are reached; None stands for one that was not started."""

    mongodb: str | None = None
    redis: str | None = None
    model: str | None = None


@contextmanager
def announced(data_dir: Path, urls: EngineURLs) -> Generator[None]:
    """Say it while the body runs; only the folder's owner can read it."""
    path = data_dir / _NAME
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(urls), file)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def engines_on(data_dir: Path) -> EngineURLs:
    """What whoever holds the folder says; nothing before they are ready, nor where its holder was killed."""
    if is_held(data_dir):
        with suppress(FileNotFoundError, json.JSONDecodeError):
            return EngineURLs(**json.loads((data_dir / _NAME).read_text()))
    return EngineURLs()
