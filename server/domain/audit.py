"""What has happened in a conversation, as those who take part may see it."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class AuditEntry(BaseModel):
    """A stored event: what happened, when, who did it, and what it belongs to."""

    model_config = ConfigDict(frozen=True)

    version: int = Field(description="1, 2, 3 … in the conversation, without holes.")
    type: str
    form: int = Field(description="The version of its schema, as it is stored.")
    at: datetime
    actor: str = Field(description="A user, or a worker.")
    correlation: str | None = Field(description="The request or frame that all of it goes back to.")
    causation: str | None = Field(description="The id of the event that led to it.")
    id: str
    data: dict[str, Any] = Field(
        description="Its fields; what was said is empty where it was taken back since."
    )


def without_text(data: dict[str, Any]) -> dict[str, Any]:
    """What is left of an event whose message was taken back."""
    gone: dict[str, Any] = {"text": "", "reasoning": "", "citations": [], "tool_calls": []}
    gone |= {"results": [], "tool_results": []}
    return data | {name: nothing for name, nothing in gone.items() if name in data}
