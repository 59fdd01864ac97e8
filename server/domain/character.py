"""A character: who answers."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from server.domain.ids import CharacterId, UserId
from server.domain.settings import ReplySettings


class NewCharacter(BaseModel):
    """What somebody says of a new character."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    system_prompt: str = Field(default="", max_length=32_000)
    greeting: str = Field(
        default="", max_length=8_000, description="The first message of a new conversation."
    )
    provider: str | None = Field(default=None, max_length=64)
    model: str | None = Field(default=None, max_length=256)
    settings: ReplySettings = ReplySettings()


class CharacterChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, min_length=1, max_length=100)
    system_prompt: str | None = Field(default=None, max_length=32_000)
    greeting: str | None = Field(default=None, max_length=8_000)
    provider: str | None = Field(default=None, max_length=64)
    model: str | None = Field(default=None, max_length=256)
    settings: ReplySettings | None = None


class Character(NewCharacter):
    """A character as it stands."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")

    id: CharacterId
    owner: UserId
    created_at: datetime
    updated_at: datetime

    def reply_settings(self) -> ReplySettings:
        """Its settings, provider and model among them."""
        return ReplySettings(provider=self.provider, model=self.model).over(self.settings)
