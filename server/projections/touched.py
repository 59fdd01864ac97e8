"""Which messages some events concern, for projections that look at how these are now. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from server.domain import events
from server.projections.contract import Fact

_NOTHING_TO_READ = (
    events.ConversationCreated,
    events.ConversationArchived,
    events.MessageEdited,
    events.ReplyRequested,
    events.ReplyRegenerated,
    events.ReplyInterrupted,
    events.ReplyStarted,
    events.ToolResultsGiven,
)


@dataclass(slots=True)
class Touched:
    """What to look at in one conversation; `all` stands for every message of it."""

    messages: set[str] = field(default_factory=set[str])
    all: bool = False
    readers: bool = False
    """Who takes part may have changed."""
    deleted: bool = False


def touched(facts: Sequence[Fact]) -> dict[str, Touched]:
    """By conversation."""
    found: dict[str, Touched] = {}
    for fact in facts:
        event = fact.event
        if isinstance(event, _NOTHING_TO_READ):
            continue
        one = found.setdefault(event.conversation, Touched())
        if isinstance(event, events.ConversationDeleted):
            one.deleted = True
        elif isinstance(event, events.ConversationChanged):
            one.readers = True
        elif isinstance(event, events.MessageCreated | events.MessageRetracted):
            one.messages.add(event.message)
        elif isinstance(event, events.ReplyEnded):
            one.messages.add(event.reply)
        else:
            one.all = True
    return found
