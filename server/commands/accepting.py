"""What every command stands on that may owe somebody a reply: the one home of what has to be asked before."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from server.commands.announce import Announcer
from server.commands.deciding import Decided, Decision, decide
from server.commands.reply_settings import SettingsInForce
from server.commands.telling import Telling
from server.storage.event_store import EventStore
from server.storage.reads import Reads


@dataclass(frozen=True, slots=True)
class Accepting:
    """`settings` says how a reply is to be made, `announcer` whether there is a place for it in the queue."""

    store: EventStore
    reads: Reads
    settings: SettingsInForce
    announcer: Announcer
    telling: Telling
    clock: Callable[[], datetime]

    async def decide(self, conversation: str, user: str, decision: Decision) -> Decided:
        """Decide and append; errors are those of `decide`."""
        return await decide(self.store, self.reads, conversation, user, decision)
