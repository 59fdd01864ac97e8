"""Make, change and delete characters."""

from collections.abc import Callable, Collection
from datetime import datetime

from server.cache.characters import KeptCharacters
from server.commands.reply_settings import check_provider
from server.domain.character import Character, CharacterChange, NewCharacter
from server.domain.errors import Forbidden
from server.domain.ids import new_id
from server.storage.reads import Reads
from server.storage.writes import Writes


class Characters:
    """Each method returns when it is stored. Errors: `NotFound`, `Forbidden`, `Invalid`, `Unavailable`."""

    def __init__(
        self,
        reads: Reads,
        writes: Writes,
        kept: KeptCharacters,
        providers: Collection[str],
        clock: Callable[[], datetime],
    ) -> None:
        self._reads = reads
        self._writes = writes
        self._kept = kept
        self._providers = providers
        self._clock = clock

    async def create(self, user: str, new: NewCharacter) -> Character:
        """Make a character of one's own."""
        now = self._clock()
        character = Character(id=new_id("chr"), owner=user, created_at=now, updated_at=now, **dict(new))
        check_provider(character.reply_settings(), self._providers)
        await self._writes.insert_character(character)
        await self._kept.changed(character.id)
        return character

    async def change(self, user: str, character: str, wanted: CharacterChange) -> Character:
        """Change what is said; conversations that have it follow from their next reply on."""
        found = await self._mine(user, character)
        said = {
            name: value for name in wanted.model_fields_set if (value := getattr(wanted, name)) is not None
        }
        said |= {
            name: None for name in ("provider", "model") if name in wanted.model_fields_set - said.keys()
        }
        said["updated_at"] = self._clock()
        check_provider(found.model_copy(update=said).reply_settings(), self._providers)
        changed = await self._writes.change_character(character, said)
        await self._kept.changed(character)
        return changed

    async def delete(self, user: str, character: str) -> None:
        """Forget it."""
        await self._mine(user, character)
        await self._writes.delete_character(character)
        await self._kept.changed(character)

    async def _mine(self, user: str, character: str) -> Character:
        found = await self._reads.character(character)
        if found.owner != user:
            raise Forbidden("forbidden", "This character is somebody else's.")
        return found
