"""Every key has a time to live from its creation, or stands here."""

from collections.abc import Sequence
from typing import Any

from realtime.redis import Client, each, translated_errors

PERMANENT = ("queue:",)
"""Accepted work has no time to live."""

_PAGE = 1000


async def lasting(client: Client) -> list[str]:
    """The keys that would live for ever and may not. Errors: `Unavailable`."""
    found: list[str] = []
    keys: Any = client
    async with translated_errors():
        page: list[bytes] = []
        async for key in keys.scan_iter(count=_PAGE):
            if not key.startswith(tuple(prefix.encode() for prefix in PERMANENT)):
                page.append(key)
            if len(page) == _PAGE:
                found += await _lasting(client, page)
                page.clear()
        found += await _lasting(client, page)
    return sorted(found)


async def _lasting(client: Client, keys: Sequence[bytes]) -> list[str]:
    if not keys:
        return []
    # -1: it has none; -2: it is gone meanwhile.
    lifetimes = await each(client, [("TTL", key) for key in keys])
    return [key.decode(errors="replace") for key, left in zip(keys, lifetimes, strict=True) if left == -1]
