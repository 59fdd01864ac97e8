"""Leases on Redis or Valkey: a key with a time to live, changed by whoever stands in it."""

from pathlib import Path

from realtime.redis import Client, Script, run, translated_errors

_HOLD = Script(Path(__file__).parent / "hold.lua")


class RedisLeases:
    """`realtime.leases.contract.Leases`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def hold(self, name: str, holder: str, seconds: float) -> bool:
        """See the port."""
        return await self._set(name, holder, max(round(seconds * 1000), 1))

    async def release(self, name: str, holder: str) -> None:
        """See the port."""
        await self._set(name, holder, 0)

    async def _set(self, name: str, holder: str, milliseconds: int) -> bool:
        async with translated_errors():
            return bool((await run(self._client, _HOLD, [([f"lease:{name}"], [holder, milliseconds])]))[0])
