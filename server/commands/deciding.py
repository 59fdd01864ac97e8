"""Decide on the present state, append, and decide again when somebody else was first."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from server.domain.conversation import Conversation
from server.domain.errors import Overloaded, Unavailable
from server.domain.events import Event
from server.storage.event_store import EventStore, Stale
from server.storage.reads import Reads

_TRIES = 40
_PAUSE_SECONDS = 0.02

Decision = Callable[[Conversation], Awaitable[Sequence[Event]]]


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided and appended: nothing, perhaps."""

    state: Conversation
    """What it was decided on."""
    events: Sequence[Event]
    version: int
    """Of the stream, after them."""


async def decide(
    store: EventStore, reads: Reads, conversation: str, actor: str, decision: Decision
) -> Decided:
    """Decide and append.

    Errors: what `decision` raises; `Overloaded` when it is never first; `Unavailable`.
    """
    seen: set[int] = set()
    for attempt in range(_TRIES):
        state, version = await reads.conversation_at(conversation)
        seen.add(version)
        decided = await decision(state)
        if not decided:
            return Decided(state, decided, version)
        try:
            version = await store.append(decided, expected=version, actor=actor)
        except Stale:
            await asyncio.sleep(random.uniform(0, _PAUSE_SECONDS * min(attempt + 1, 10)))  # noqa: S311 - jitter
            continue
        return Decided(state, decided, version)
    if len(seen) == 1:  # nobody else was first: what was written last is not safe yet, and cannot be read
        raise Unavailable("The latest state of this conversation")
    raise Overloaded("Too many write to this conversation at once.")
