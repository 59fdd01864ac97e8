"""What the events of a conversation come to, said a second time and in another way than `server.storage.apply` does."""

from collections.abc import Sequence
from dataclasses import replace

from server.domain import events
from server.domain.branches import Place, Tree
from server.domain.conversation import Conversation, OpenReply
from server.domain.events import Event


def folded(happened: Sequence[Event]) -> tuple[Conversation, Tree]:
    """The conversation and its tree, event by event."""
    created = happened[0]
    assert isinstance(created, events.ConversationCreated)
    state = Conversation(
        id=created.conversation,
        owner=created.owner,
        members=created.members,
        title=created.title,
        character=created.character,
        settings=created.settings,
        busy=created.busy,
        created_at=created.at,
        updated_at=created.at,
    )
    places: dict[str, Place] = {}
    for event in happened[1:]:
        state = _conversation(state, event)
        _tree(places, event)
    return state, Tree.of(sorted(places.values(), key=lambda place: place.seq))


def _conversation(state: Conversation, event: Event) -> Conversation:
    match event:
        case events.ConversationChanged():
            said = {"title": event.title, "character": event.character, "members": event.members}
            return state.model_copy(update={**said, "settings": event.settings, "busy": event.busy})
        case events.ConversationArchived():
            return state.model_copy(update={"archived": event.archived})
        case events.MessageCreated():
            moved = {"last_seq": event.seq, "head": event.message, "updated_at": event.at}
            return state.model_copy(update=moved)
        case events.BranchChosen():
            return state.model_copy(update={"head": event.head})
        case events.ReplyRequested():
            still = {**state.open, event.reply: OpenReply(seq=event.seq, at=event.at)}
            return state.model_copy(update={"last_seq": event.seq, "head": event.reply, "open": still})
        case events.ReplyStarted():
            taken = state.open[event.reply].model_copy(update={"attempt": event.attempt})
            return state.model_copy(update={"open": {**state.open, event.reply: taken}})
        case events.ReplyCompleted() | events.ReplyFailed() | events.ReplyCancelled():
            left = {name: opened for name, opened in state.open.items() if name != event.reply}
            return state.model_copy(update={"open": left, "updated_at": event.at})
        case _:
            return state


def _tree(places: dict[str, Place], event: Event) -> None:
    match event:
        case events.MessageCreated():
            place = Place(event.message, event.parent, event.seq, event.role, event.user)
            _born(places, place, event.siblings)
        case events.ReplyRequested():
            place = Place(event.reply, event.message, event.seq, "assistant", None, reply_to=event.message)
            _born(places, place, event.siblings)
        case events.MessageRetracted():
            places[event.message] = replace(places[event.message], retracted=True)
        case events.MessageArchived():
            said = {"archived": event.archived, "turns": event.turns}
            places[event.message] = replace(places[event.message], **said)
        case events.BranchChosen():
            path, at = set[str](), event.head
            while at is not None:
                path.add(at)
                at = places[at].parent
            for name, place in places.items():
                places[name] = replace(place, chosen=name in path)
            if event.left is not None:
                places[event.left] = replace(places[event.left], tip=event.tip)
        case _:
            pass


def _born(places: dict[str, Place], place: Place, siblings: list[str]) -> None:
    places[place.id] = replace(place, siblings=tuple(siblings))
    for name in siblings:
        places[name] = replace(places[name], siblings=tuple(siblings))
