"""All that is stored of one conversation, for whoever checks it, and what may be found."""

from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """A promise that was not kept: which, of what, and how."""

    rule: str
    subject: str
    detail: str


@dataclass(slots=True)
class Story:
    """All that is stored of one conversation, as rows of its collections, read at one moment."""

    conversation: Row
    events: list[Row] = field(default_factory=list[Row])
    messages: list[Row] = field(default_factory=list[Row])
    replies: list[Row] = field(default_factory=list[Row])
    usage: list[Row] = field(default_factory=list[Row])
