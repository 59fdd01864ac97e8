"""Who answers."""

from server.commands.characters import Characters
from server.domain.character import Character, CharacterChange, NewCharacter
from server.queries.access import Queries
from server.storage.pages import Page
from server.web.operations import Call, Operation

_TAG = "Characters"
_EVERY = "/v1/characters"
_ONE = "/v1/characters/{id}"


class CharacterRoutes:
    """`/v1/characters`."""

    def __init__(self, queries: Queries, characters: Characters) -> None:
        self._queries = queries
        self._characters = characters

    def operations(self) -> list[Operation]:
        """The routes, in the order of the documentation."""
        page = Page[Character]
        return [
            Operation("GET", _EVERY, "Your characters", self.list_characters, _TAG, None, page, paged=True),
            Operation(
                "POST", _EVERY, "Make a character", self.create_character, _TAG, NewCharacter, Character, 201
            ),
            Operation("GET", _ONE, "One character", self.character, _TAG, None, Character),
            Operation("PATCH", _ONE, "Change it", self.change_character, _TAG, CharacterChange, Character),
            Operation("DELETE", _ONE, "Forget it", self.delete_character, _TAG, status=204),
        ]

    async def list_characters(self, call: Call) -> Page[Character]:
        """One's own characters."""
        return await self._queries.characters(call.user.id, call.cut())

    async def create_character(self, call: Call) -> Character:
        """Make a character."""
        return await self._characters.create(call.user.id, call.body)

    async def character(self, call: Call) -> Character:
        """One character."""
        return await self._queries.character(call.user.id, call.path["id"])

    async def change_character(self, call: Call) -> Character:
        """Change a character."""
        return await self._characters.change(call.user.id, call.path["id"], call.body)

    async def delete_character(self, call: Call) -> None:
        """Forget a character."""
        await self._characters.delete(call.user.id, call.path["id"])
