"""Which messages some events concern, for projections that look at how these are now. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from server.domain import events
from server.projections.contract import Fact

_NOTHING_TO_READ = (
    events.MessageEdited,
    events.ReplyRequested,
    events.ReplyRegenerated,
    events.ReplyInterrupted,
    events.ReplyRestarted,
    events.ReplyStarted,
    events.ReplyGenerated,
    events.UsageRecorded,
    events.ToolResultsGiven,
)
_ABOUT_IT = (events.ConversationCreated, events.ConversationChanged, events.ConversationArchived)


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
        if isinstance(event, events.MessageImported):
            # Its conversation is new, and which branch is chosen came with it.
            found.setdefault(event.conversation, Touched()).messages.add(event.message)
            continue
        # Another version of a message leaves the earlier ones, and what came after them, off the chosen branch.
        versions = bool(getattr(event, "siblings", None))
        if isinstance(event, _NOTHING_TO_READ) and not versions:
            continue
        one = found.setdefault(event.conversation, Touched())
        if versions:
            one.all = True
        elif isinstance(event, events.ConversationDeleted):
            one.deleted = True
        elif isinstance(event, _ABOUT_IT):
            one.readers = True
        elif isinstance(event, events.MessageCreated | events.MessageRetracted | events.MessageArchived):
            one.messages.add(event.message)
        elif isinstance(event, events.ReplyEnded):
            one.messages.add(event.reply)
        else:
            one.all = True
    return found
