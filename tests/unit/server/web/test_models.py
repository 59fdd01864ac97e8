"""What can be asked now: told to everybody, and asked of each provider once."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from providers.config import ProviderConfig
from server.web.api.session import SessionRoutes
from server.web.auth import Tokens, User
from server.web.operations import Call


class Provider:
    """A provider with one model, which counts how often it is asked for its name."""

    def __init__(self) -> None:
        self.asked = 0

    async def models(self) -> list[str]:
        """Name it, a moment later."""
        self.asked += 1
        await asyncio.sleep(0)
        return ["talker"]


async def test_a_crowd_asks_a_provider_once() -> None:
    """Fifty pages that are opened at the same moment get the same answer."""
    provider, config = Provider(), ProviderConfig("openai", "openai")

    async def refresh(keys: list[str]) -> None:
        return None

    registry = SimpleNamespace(names=["openai"], config=lambda name: config, get=lambda name: provider)
    health = SimpleNamespace(refresh=refresh, state=lambda name, model: "closed")
    parts: list[Any] = [registry, health, "openai", None, None]
    routes = SessionRoutes(Tokens("s" * 32), *cast("tuple[Any, ...]", tuple(parts)), guests=True)
    call = Call(User("ada", "Ada"), {}, {})
    pages = await asyncio.gather(*(routes.models(call) for _ in range(50)))
    assert [[one.model for one in page.items] for page in pages] == [["talker"]] * 50
    assert provider.asked == 1
