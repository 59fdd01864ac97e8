"""The secret that is kept in the data folder."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.settings import Settings
from server.wiring import NotConfigured, ensure_secret


def secret_of(folder: Path) -> str:
    """What tokens are signed with."""
    secret = ensure_secret(Settings(CHAT_DATA_DIR=folder, CHAT_AUTH_SECRET=None)).auth_secret  # type: ignore[call-arg] # settings are named by their variables
    assert secret is not None
    return secret.get_secret_value()


def test_it_is_made_once(tmp_path: Path) -> None:
    """Whoever begins at the same time, or later, has the same; only its owner can read it, and nothing is left over."""
    with ThreadPoolExecutor(8) as together:
        secrets = set(together.map(secret_of, [tmp_path / "data"] * 16))
    assert secrets == {secret_of(tmp_path / "data")}
    [kept] = (tmp_path / "data").iterdir()
    assert (kept.name, kept.stat().st_mode & 0o777) == ("secret", 0o600)


@pytest.mark.parametrize("left", ["", "short"])
def test_what_is_no_secret_signs_nothing(tmp_path: Path, left: str) -> None:
    """A file that a crash has left empty would let anybody make tokens: it is refused, with the mend."""
    (tmp_path / "secret").write_text(left)
    with pytest.raises(NotConfigured, match="holds no secret: delete it, or set CHAT_AUTH_SECRET"):
        secret_of(tmp_path)
