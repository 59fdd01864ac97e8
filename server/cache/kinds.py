"""What more than one room has to do with: one reads it through the cache, another changes it."""

from server.cache.contract import Kind
from server.domain.character import Character

CHARACTERS: Kind[Character] = Kind(
    "character",
    encode=lambda character: character.model_dump_json().encode(),
    decode=Character.model_validate_json,
)
