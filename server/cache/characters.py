"""Characters, as they were read before: nearly every reply has one, and they change seldom."""

from server.cache.contract import Cache, Kind
from server.domain.character import Character
from server.domain.errors import NotFound
from server.storage.reads import Reads

_CHARACTERS: Kind[Character] = Kind(
    "character",
    encode=lambda character: character.model_dump_json().encode(),
    decode=Character.model_validate_json,
)


class KeptCharacters:
    """Reads them through the cache."""

    def __init__(self, reads: Reads, cache: Cache) -> None:
        self._reads = reads
        self._cache = cache

    async def character(self, character: str) -> Character:
        """One character. Errors: `NotFound`, `Unavailable`."""

        async def load() -> Character | None:
            try:
                return await self._reads.character(character)
            except NotFound:
                return None

        found = await self._cache.get(_CHARACTERS, character, load)
        if found is None:
            raise NotFound("character")
        return found

    async def changed(self, character: str) -> None:
        """It was made, changed or deleted: call this after the commit."""
        await self._cache.forget(_CHARACTERS, character)
