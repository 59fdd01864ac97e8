"""Small writes beside the events: characters, and marks on a reply that need no history of their own."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from server.domain.character import Character
from server.domain.errors import NotFound
from server.domain.listed import Place
from server.storage.causal import Causal
from server.storage.database import reachable
from server.storage.documents import CharacterDocument, PlaceDocument, ReplyDocument


class Writes:
    """Each method is one atomic write. Errors: `NotFound`, `Unavailable`."""

    def __init__(self, causal: Causal | None = None) -> None:
        self._causal = causal

    async def insert_character(self, character: Character) -> None:
        """Store a new character."""
        async with reachable():
            await CharacterDocument(**character.model_dump()).insert()

    async def change_character(self, character: str, said: Mapping[str, Any]) -> Character:
        """Change these fields, and no others, which somebody else may change at this moment; the character then."""
        fields = {
            name: value.model_dump() if isinstance(value, BaseModel) else value
            for name, value in said.items()
        }
        async with reachable():
            found = await CharacterDocument.collection().find_one_and_update(
                {"_id": character}, {"$set": fields}, return_document=True
            )
        if found is None:
            raise NotFound("character")
        return Character.model_validate({**found, "id": found["_id"]})

    async def delete_character(self, character: str) -> None:
        """Forget a character; conversations that have it go on without."""
        async with reachable():
            await CharacterDocument.collection().delete_one({"_id": character})

    async def set_place(self, user: str, conversation: str, place: Place) -> None:
        """Move somebody's mark in a conversation: what was read is never unread again, whichever device says so."""
        change: dict[str, Any] = {"$setOnInsert": {"user": user, "conversation": conversation}}
        if place.pinned is not None:
            change["$set"] = {"pinned": place.pinned}
        if place.read is not None:
            change["$max"] = {"read": place.read}
        async with reachable():
            name = PlaceDocument.named(user, conversation)
            places = PlaceDocument.collection()
            async with places.database.client.start_session() as session:
                await places.update_one({"_id": name}, change, upsert=True, session=session)
        if self._causal is not None:
            await self._causal.wrote(session, user)

    async def request_cancel(self, reply: str) -> None:
        """Mark a reply as to be stopped; a mark, because the signal to its worker may be lost."""
        await self._mark(reply, {"cancel_requested": True})

    async def _mark(self, reply: str, said: dict[str, Any]) -> None:
        async with reachable():
            await ReplyDocument.collection().update_one({"_id": reply}, {"$set": said})
