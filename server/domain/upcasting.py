"""Old stored events in the form of today.

Each stored event says which `form` of its type it has. An upcaster is a pure function from one form to the next; what
is read passes through all that its form is behind by. Nothing stored is ever rewritten.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Data = dict[str, Any]


@dataclass(slots=True)
class Before:
    """What the earlier events of the stream leave for an upcaster to know."""

    message: str | None = None
    """The latest message."""

    def note(self, type_: str, data: Mapping[str, Any]) -> None:
        """Remember one event, after it was read."""
        if type_ == "message.created":
            self.message = data["message"]
        elif type_ == "reply.requested":
            self.message = data["reply"]


Upcaster = Callable[[Data, Before], Data]


def _with_parent(data: Data, before: Before) -> Data:
    """There were no branches: a message came after the one before it."""
    return {**data, "parent": before.message}


def _queueing(data: Data, before: Before) -> Data:
    """Every reply was made at once; what comes nearest, and is the default since, is one after the other."""
    return {**data, "busy": "queue"}


UPCASTERS: dict[tuple[str, int], Upcaster] = {
    ("conversation.created", 1): _queueing,
    ("conversation.changed", 1): _queueing,
    ("message.created", 1): _with_parent,
}
"""By type, and by the form that it leads away from."""


def upcast(type_: str, form: int, data: Data, before: Before) -> Data:
    """The data of an event in the newest form of its type."""
    while (upcaster := UPCASTERS.get((type_, form))) is not None:
        data, form = upcaster(data, before), form + 1
    return data
