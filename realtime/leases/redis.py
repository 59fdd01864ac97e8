"""Leases on Redis or Valkey: a key with a time to live, changed by whoever stands in it."""

from collections.abc import Awaitable
from pathlib import Path
from typing import cast

from redis.asyncio import Redis

from realtime.redis import translated_errors

_HOLD = (Path(__file__).parent / "hold.lua").read_text()


class RedisLeases:
    """`realtime.leases.contract.Leases`."""

    def __init__(self, client: Redis) -> None:
        self._hold = client.register_script(_HOLD)

    async def hold(self, name: str, holder: str, seconds: float) -> bool:
        """See the port."""
        return await self._set(name, holder, max(round(seconds * 1000), 1))

    async def release(self, name: str, holder: str) -> None:
        """See the port."""
        await self._set(name, holder, 0)

    async def _set(self, name: str, holder: str, milliseconds: int) -> bool:
        async with translated_errors():
            call = cast("Awaitable[int]", self._hold(keys=[f"lease:{name}"], args=[holder, milliseconds]))
            return bool(await call)
