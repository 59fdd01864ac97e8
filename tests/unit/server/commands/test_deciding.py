"""Whoever decides on what others change meanwhile gives up in the end, and says what was in the way."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from server.commands import deciding
from server.commands.deciding import decide
from server.domain.conversation import Conversation
from server.domain.errors import Overloaded, Unavailable
from server.domain.events import Event
from server.storage.event_store import Stale


class Store:
    """Where somebody else always was first; `others` are those whose writes can be read."""

    def __init__(self, others: int) -> None:
        self._others = others
        self._version = 7

    async def conversation_at(self, _: str) -> tuple[Any, int]:
        """As `Reads` does."""
        if self._others:
            self._others -= 1
            self._version += 1
        return None, self._version

    async def append(self, *_: Any, **__: Any) -> int:
        """As `EventStore` does."""
        raise Stale


@pytest.mark.parametrize(
    ("others", "refused"), [(0, Unavailable), (1, Unavailable), (2, Overloaded), (99, Overloaded)]
)
async def test_who_is_never_first_is_told_why(
    others: int, refused: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others who write, or a database that has not made the last write safe: it can neither be read nor followed."""
    monkeypatch.setattr(deciding, "_PAUSE_SECONDS", 0.0)
    store = cast("Any", Store(others))

    async def decision(_: Conversation) -> Sequence[Event]:
        return cast("Any", ["an event"])

    with pytest.raises(refused):
        await decide(store, store, "cnv_1", "usr_1", decision)
