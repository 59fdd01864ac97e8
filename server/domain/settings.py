"""How a reply is made: what a conversation, its character, the server and a single send may each say about it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from server.domain.keepable import KeepableObject


class ToolSpec(BaseModel):
    """Something that the model may ask to be done; it is your client that does it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str = Field(default="", max_length=4_000)
    parameters: KeepableObject = Field(
        default={"type": "object", "properties": {}}, description="A JSON schema of its arguments."
    )


class Fallback(BaseModel):
    """Who answers instead."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str = Field(max_length=64)
    model: str | None = Field(default=None, max_length=256)


Stop = Annotated[str, StringConstraints(min_length=1, max_length=200)]

Busy = Literal["queue", "reject", "interrupt"]
"""What becomes of a message while a reply is being made: its own reply waits, it is refused, or that one stops."""


class ReplySettings(BaseModel):
    """What is left out comes from the next in line: this send, the conversation, the character, the server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str | None = Field(default=None, max_length=64, description="One of `GET /v1/models`.")
    model: str | None = Field(default=None, max_length=256)
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000, description="Of the answer.")
    context_window: int | None = Field(
        default=None,
        ge=256,
        le=10_000_000,
        description="Tokens that the prompt and the answer may have together.",
    )
    top_p: float | None = Field(default=None, gt=0, le=1)
    stop: list[Stop] | None = Field(
        default=None, max_length=4, description="Where the answer ends, should it come to one of these."
    )
    reasoning_effort: Literal["low", "medium", "high"] | None = Field(
        default=None, description="How much is thought before the answer."
    )
    tools: list[ToolSpec] | None = Field(default=None, max_length=64)
    fallbacks: list[Fallback] | None = Field(
        default=None,
        max_length=8,
        description="Who answers instead, one after the other, when a provider fails.",
    )
    on_break: Literal["continue", "restart", "fail"] | None = Field(
        default=None,
        description="When a provider fails in the middle: the next one goes on, begins anew, or the reply fails.",
    )

    def over(self, base: "ReplySettings") -> "ReplySettings":
        """These settings where they say something, `base` elsewhere.

        A model belongs to its provider: naming another provider without a model does not keep the base's model.
        """
        said = self.model_dump(exclude_none=True)
        kept = base.model_dump(exclude_none=True)
        if "provider" in said and said["provider"] != kept.get("provider") and "model" not in said:
            kept.pop("model", None)
        return ReplySettings(**{**kept, **said})
