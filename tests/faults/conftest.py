"""What dies here leaves nothing unkept: each house is audited at its end, so that no test can forget it."""

from collections.abc import Iterator

import pytest

from tests.support.audited import assert_kept_at_its_end, check_kept, check_kept_in
from tests.support.house import House, ups


@pytest.fixture(autouse=True)
def audited(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run `python -m server audit` over every house as its last process ends, and the shared one after the test."""
    monkeypatch.setattr(House, "at_its_end", assert_kept_at_its_end)
    ups.clear()
    yield
    if "house" in request.fixturenames:
        check_kept(request.getfixturevalue("house"), young=60)
    for folder in dict.fromkeys(ups):
        check_kept_in(folder)
