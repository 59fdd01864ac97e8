"""How a reply is made: what a conversation, its character, the server and a single send may each say about it."""

from pydantic import BaseModel, ConfigDict, Field


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

    def over(self, base: "ReplySettings") -> "ReplySettings":
        """These settings where they say something, `base` elsewhere.

        A model belongs to its provider: naming another provider without a model does not keep the base's model.
        """
        said = self.model_dump(exclude_none=True)
        kept = base.model_dump(exclude_none=True)
        if "provider" in said and said["provider"] != kept.get("provider") and "model" not in said:
            kept.pop("model", None)
        return ReplySettings(**{**kept, **said})
