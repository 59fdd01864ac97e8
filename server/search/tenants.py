"""Tokens with which a browser searches Meilisearch by itself, and finds what is its user's own.

Such a token (Meilisearch calls it a tenant token) is signed with a key that may only search the live index, and carries
a filter that Meilisearch adds to every search under it. So it holds for as long as it lives, and no longer than the
key; who has left a conversation is no reader in the index a moment later, and finds nothing of it from then on.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from meilisearch_python_sdk import AsyncClient
from meilisearch_python_sdk.models.client import Key, KeyCreate

from server.domain.errors import Unavailable
from server.search.contract import DirectAccess
from server.search.meilisearch import CALL_SECONDS, SETTINGS, answering, only_of

_log = structlog.get_logger(__name__)

TOKEN_SECONDS = 600.0
_KEY_SECONDS = 300.0
"""A key that somebody has deleted is missed after so long."""
_PAGE = 100


class Tenants:
    """`server.search.contract.DirectSearch`, for one index of a Meilisearch that browsers reach at `url`."""

    def __init__(
        self, client: AsyncClient, index: str, url: str, token_seconds: float = TOKEN_SECONDS
    ) -> None:
        self._client = client
        self._index = index
        self._url = url.rstrip("/")
        self._token_seconds = token_seconds
        self._key: Key | None = None
        self._known_until = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def admit(self, reader: str) -> DirectAccess:
        """See the port."""
        key = await self.key()
        ends = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=self._token_seconds)
        rules = {self._index: {"filter": only_of(reader)}}
        token = self._client.generate_tenant_token(rules, api_key=key, expires_at=ends)
        return DirectAccess(url=self._url, index=self._index, token=token, expires_at=ends)

    async def key(self) -> Key:
        """The key that signs: found by its name, or made. Errors: `Unavailable`."""
        async with self._one_at_a_time:
            now = asyncio.get_running_loop().time()
            if self._key is None or now >= self._known_until:
                async with answering(CALL_SECONDS):
                    await self._check()
                    self._key = await self._found() or await self._made()
                self._known_until = now + _KEY_SECONDS
            return self._key

    async def _check(self) -> None:
        """That searches show no readers: an index of an earlier version would. Errors: `Unavailable`."""
        shown = (await self._client.index(self._index).get_settings()).displayed_attributes
        if sorted(shown or ["*"]) != sorted(SETTINGS["displayedAttributes"]):
            _log.warning("no tokens for browsers until the search index has its settings", index=self._index)
            raise Unavailable("The search index", retry_after=5.0)

    @property
    def _name(self) -> str:
        return f"tertulia: searching {self._index}"

    async def _found(self) -> Key | None:
        """The oldest of its name that may do just this: two processes that made one each agree from then on."""
        found: list[Key] = []
        offset = 0
        while True:
            page = await self._client.get_keys(offset=offset, limit=_PAGE)
            found += [key for key in page.results if self._fits(key)]
            offset += len(page.results)
            if not page.results or offset >= page.total:
                return min(found, key=lambda key: (key.created_at, key.uid), default=None)

    def _fits(self, key: Key) -> bool:
        said = (key.name, key.actions, key.indexes, key.expires_at)
        return said == (self._name, ["search"], [self._index], None)

    async def _made(self) -> Key:
        _log.info("making a key of Meilisearch that may only search", name=self._name)
        wanted = KeyCreate(name=self._name, actions=["search"], indexes=[self._index])
        return await self._client.create_key(wanted)
