"""The branches of a conversation: another version of a message, another answer, and which of them is chosen.

Messages are a tree: each has a `parent`, several with the same one are siblings. One branch, from the first message to
the conversation's `head`, is chosen; what is said next goes on there. Nothing here is ever taken away: a branch that
is left keeps its messages, and the `tip` at which it was left, so that whoever chooses it again is where they were.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from server.domain.conversation import Conversation, check_text, make_room
from server.domain.errors import Conflict, Forbidden, NotFound
from server.domain.events import (
    BranchChosen,
    Event,
    MessageArchived,
    MessageCreated,
    MessageEdited,
    MessageRetracted,
    ReplyRegenerated,
    ReplyRequested,
)
from server.domain.ids import new_id
from server.domain.message import Edit, Role
from server.domain.settings import ReplySettings

MAX_SIBLINGS = 100
"""Versions of one message: each is told with all the others."""


@dataclass(frozen=True, slots=True)
class Place:
    """A message without its text."""

    id: str
    parent: str | None
    seq: int
    role: Role
    user: str | None
    chosen: bool = True
    reply_to: str | None = None
    siblings: tuple[str, ...] = ()
    tip: str | None = None
    retracted: bool = False
    archived: bool = False
    turns: int = 0


@dataclass(frozen=True, slots=True)
class Tree:
    """All messages of a conversation."""

    places: dict[str, Place] = field(default_factory=dict[str, Place])

    @classmethod
    def of(cls, places: Iterable[Place]) -> "Tree":
        """Made of them, in any order."""
        return cls({place.id: place for place in places})

    def place(self, message: str) -> Place:
        """Errors: `NotFound`."""
        found = self.places.get(message)
        if found is None:
            raise NotFound("message")
        return found

    def above(self, message: str | None) -> Place | None:
        """A parent; None above the first message."""
        return self.places[message] if message is not None else None

    def path(self, message: str) -> list[Place]:
        """The branch that leads to a message, from the first one. Errors: `NotFound`."""
        at: Place | None = self.place(message)
        path: list[Place] = []
        while at is not None:
            path.append(at)
            at = self.above(at.parent)
        return path[::-1]

    def siblings(self, place: Place) -> list[str]:
        """All versions of it, itself among them."""
        return list(place.siblings) or [place.id]

    def onwards(self, place: Place) -> list[str]:
        """The branch as it goes on after a message: to where it was left, else along the newest."""
        if place.tip is not None:
            back: list[str] = []
            at = self.places.get(place.tip)
            while at is not None and at.id != place.id:
                back.append(at.id)
                at = self.above(at.parent)
            return back[::-1]
        onwards: list[str] = []
        newest: dict[str | None, Place] = {}
        for one in self.places.values():
            if one.parent not in newest or newest[one.parent].seq < one.seq:
                newest[one.parent] = one
        at = newest.get(place.id)
        while at is not None:
            onwards.append(at.id)
            at = newest.get(at.id)
        return onwards


def regenerate(
    state: Conversation,
    tree: Tree,
    user: str,
    reply: str,
    settings: ReplySettings,
    key: str | None,
    now: datetime,
) -> list[Event]:
    """Owe another answer to the same message; the earlier ones are kept.

    Errors: `Forbidden`, `NotFound`; `Conflict` with `busy`, `not_ended`, `retracted`, `archived` or
    `too_many_versions`.
    """
    state.admit(user)
    old = tree.place(reply)
    asked = tree.above(old.parent)
    if old.role != "assistant" or asked is None or old.reply_to is None:
        raise NotFound("reply")
    _check_standing(asked)
    if reply in state.open and state.busy != "interrupt":
        raise _not_ended()
    siblings = _one_more(tree.siblings(old))
    events = make_room(state, now)
    events += _cut(state, tree, asked, now)
    requested = ReplyRequested(
        conversation=state.id,
        at=now,
        reply=siblings[-1],
        message=asked.id,
        seq=state.last_seq + 1,
        user=user,
        settings=settings,
        siblings=siblings,
        key=key,
    )
    regenerated = ReplyRegenerated(conversation=state.id, at=now, reply=reply, anew=requested.reply)
    return [*events, regenerated, requested]


def edit(
    state: Conversation,
    tree: Tree,
    user: str,
    message: str,
    new: Edit,
    settings: ReplySettings,
    now: datetime,
) -> list[Event]:
    """Say a message differently: on a branch of its own, with a reply of its own unless none is wanted.

    Errors: `Forbidden`, `NotFound`, `Invalid`; `Conflict` with `busy`, `retracted`, `archived` or `too_many_versions`.
    """
    state.admit(user)
    check_text(new.text)
    old = tree.place(message)
    if old.user != user:
        raise Forbidden("forbidden", "Only its author can edit a message.")
    _check_standing(old)
    siblings = _one_more(tree.siblings(old))
    events = make_room(state, now) if new.reply is not False else []
    events += _cut(state, tree, tree.above(old.parent), now)
    created = MessageCreated(
        conversation=state.id,
        at=now,
        message=siblings[-1],
        seq=state.last_seq + 1,
        role="user",
        user=user,
        text=new.text,
        key=new.key,
        parent=old.parent,
        siblings=siblings,
    )
    events += [MessageEdited(conversation=state.id, at=now, message=message, anew=created.message), created]
    if new.reply is not False:
        requested = ReplyRequested(
            conversation=state.id,
            at=now,
            reply=new_id("msg"),
            message=created.message,
            seq=state.last_seq + 2,
            user=user,
            settings=settings,
        )
        events.append(requested)
    return events


def choose(state: Conversation, tree: Tree, user: str, message: str, now: datetime) -> list[Event]:
    """Go on with the branch that a message lies on; nothing happens where it is chosen already.

    Errors: `Forbidden`, `NotFound`.
    """
    state.admit(user)
    wanted = tree.place(message)
    if wanted.chosen:
        return []
    path = [wanted.id]
    fork = tree.above(wanted.parent)
    while fork is not None and not fork.chosen:
        path.append(fork.id)
        fork = tree.above(fork.parent)
    path = [*reversed(path), *tree.onwards(wanted)]
    left = _next_chosen(tree, fork)
    chosen = BranchChosen(
        conversation=state.id,
        at=now,
        after=fork.seq if fork else 0,
        path=path,
        head=path[-1],
        left=left.id if left else None,
        tip=state.head if left else None,
    )
    return [chosen]


def retract(state: Conversation, tree: Tree, user: str, message: str, now: datetime) -> list[Event]:
    """Take a message back: its author may, and whoever owns the conversation; a reply, also who asked for it.

    Errors: `Forbidden`, `NotFound`; `Conflict` with `not_ended` for a reply that is still being made.
    """
    state.admit(user)
    place = tree.place(message)
    asked = tree.places.get(place.reply_to or "")
    author = asked.user if asked else place.user
    if user not in (author, state.owner):
        raise Forbidden("forbidden", "Only its author, or the conversation's owner, can take a message back.")
    if message in state.open:
        raise _not_ended()
    if place.retracted:
        return []
    return [MessageRetracted(conversation=state.id, at=now, message=message)]


def archive(
    state: Conversation, tree: Tree, user: str, message: str, archived: bool, now: datetime
) -> list[Event]:
    """Put a message away for everybody, or take it out again: whoever takes part may.

    Errors: `Forbidden`, `NotFound`; `Conflict` with `not_ended` for a reply that is still being made, and `retracted`.
    """
    state.admit(user)
    place = tree.place(message)
    if message in state.open:
        raise _not_ended()
    if place.retracted:
        raise _taken_back()
    if place.archived == archived:
        return []
    put = MessageArchived(
        conversation=state.id, at=now, message=message, archived=archived, turns=place.turns + 1
    )
    return [put]


def _cut(state: Conversation, tree: Tree, fork: Place | None, now: datetime) -> list[Event]:
    """Choose the branch up to a message, and what is above it; something new is to follow there."""
    if fork is not None and fork.id == state.head:
        return []
    path: list[str] = []
    top = fork
    while top is not None and not top.chosen:
        path.append(top.id)
        top = tree.above(top.parent)
    left = _next_chosen(tree, top)
    cut = BranchChosen(
        conversation=state.id,
        at=now,
        after=top.seq if top else 0,
        path=path[::-1],
        head=fork.id if fork else None,
        left=left.id if left else None,
        tip=state.head if left else None,
    )
    return [cut]


def _next_chosen(tree: Tree, fork: Place | None) -> Place | None:
    """What comes after a message on the chosen branch."""
    parent = fork.id if fork else None
    return next((one for one in tree.places.values() if one.chosen and one.parent == parent), None)


def _one_more(siblings: list[str]) -> list[str]:
    if len(siblings) >= MAX_SIBLINGS:
        raise Conflict("too_many_versions", f"There are {MAX_SIBLINGS} versions of this message already.")
    return [*siblings, new_id("msg")]


def _check_standing(place: Place) -> None:
    if place.retracted:
        raise _taken_back()
    if place.archived:
        raise Conflict("archived", "This message was put away: take it out first.")


def _taken_back() -> Conflict:
    return Conflict("retracted", "This message was taken back.")


def _not_ended() -> Conflict:
    return Conflict("not_ended", "This reply is still being made: stop it first.")
