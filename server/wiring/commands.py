"""The commands of a web process, each with what it needs."""

from dataclasses import dataclass

from server.cache.characters import KeptCharacters
from server.commands.accepting import Accepting
from server.commands.branching import Branching
from server.commands.bring_in import BringIn
from server.commands.cancel_reply import CancelReply
from server.commands.characters import Characters
from server.commands.conversations import Conversations
from server.commands.give_tool_results import GiveToolResults
from server.commands.line import Line
from server.commands.place import MovePlace
from server.commands.reply_settings import CheckModel, SettingsInForce
from server.commands.send_message import SendMessage
from server.commands.telling import Telling
from server.domain.settings import ReplySettings
from server.storage.lists import Lists
from server.wiring.core import Core, now


@dataclass(frozen=True, slots=True)
class Commands:
    """All that can be asked for over HTTP, and most of it over the socket."""

    send: SendMessage
    branching: Branching
    cancel: CancelReply
    results: GiveToolResults
    conversations: Conversations
    move: MovePlace
    characters: Characters
    bring_in: BringIn


def commands(parts: Core, lists: Lists) -> Commands:
    """On the engines of a process."""
    store, reads, writes, announcer = parts.store, parts.reads, parts.writes, parts.announcer
    names, fallback = parts.registry.names, parts.default_provider
    kept = KeptCharacters(reads, parts.cache)
    check = CheckModel(parts.registry.configs, fallback)
    in_force = SettingsInForce(kept, ReplySettings(provider=fallback), names, check)
    telling = Telling(reads, announcer, parts.signals)
    accepting = Accepting(store, reads, in_force, announcer, telling, now)
    line = Line(reads, store, announcer)
    return Commands(
        send=SendMessage(accepting),
        branching=Branching(accepting),
        cancel=CancelReply(store, reads, writes, announcer, line, parts.signals, now),
        results=GiveToolResults(store, reads, announcer, telling, now),
        conversations=Conversations(store, reads, telling, names, now),
        move=MovePlace(reads, writes, lists, announcer),
        characters=Characters(reads, writes, kept, names, now),
        bring_in=BringIn(store, reads, now),
    )
