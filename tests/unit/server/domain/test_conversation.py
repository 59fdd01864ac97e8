"""The decisions about a conversation: pure functions from what is and what is wanted to what happens."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain import conversation as decisions
from server.domain.conversation import Conversation, ConversationChange, NewConversation, title_of
from server.domain.errors import Forbidden, Invalid
from server.domain.events import (
    ConversationChanged,
    ConversationCreated,
    ConversationDeleted,
    MessageCreated,
    ReplyRequested,
)
from server.domain.ids import new_id
from server.domain.message import NewMessage
from server.domain.settings import ReplySettings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OWNER, MEMBER, STRANGER = "usr_owner", "usr_member", "usr_stranger"
TEMPERATE = ReplySettings(temperature=0.5)


def state(title: str = "Owls", last_seq: int = 4) -> Conversation:
    """A conversation of two."""
    return Conversation(
        id=new_id("cnv"),
        owner=OWNER,
        members=[MEMBER],
        title=title,
        character=new_id("chr"),
        settings=TEMPERATE,
        created_at=NOW,
        updated_at=NOW,
        last_seq=last_seq,
    )


# ── begin ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_conversation_begins_with_its_characters_greeting() -> None:
    """The greeting is the first message, by nobody."""
    created, greeting = decisions.create(NewConversation(title="Owls"), OWNER, "Huhu!", NOW)
    assert isinstance(created, ConversationCreated)
    assert (created.owner, created.title) == (OWNER, "Owls")
    assert isinstance(greeting, MessageCreated)
    assert (greeting.seq, greeting.role, greeting.user, greeting.text) == (1, "assistant", None, "Huhu!")
    assert greeting.conversation == created.conversation


def test_who_else_takes_part_is_named_once() -> None:
    """However often they are named; the owner takes part anyway, and is no other."""
    named = [MEMBER, OWNER, "usr_other", MEMBER]
    [created] = decisions.create(NewConversation(members=named), OWNER, "", NOW)
    assert isinstance(created, ConversationCreated)
    [changed] = decisions.change(state(), OWNER, ConversationChange(members=named), NOW)
    assert isinstance(changed, ConversationChanged)
    assert created.members == changed.members == [MEMBER, "usr_other"]
    assert decisions.change(state(), OWNER, ConversationChange(members=[OWNER, MEMBER]), NOW) == []


def test_without_a_greeting_it_begins_empty() -> None:
    """One event, and nothing said."""
    assert [event.type for event in decisions.create(NewConversation(), OWNER, "", NOW)] == [
        "conversation.created"
    ]


# ── send ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_is_owed_a_reply() -> None:
    """Message and reply take the next two places, and the reply knows what it answers and how."""
    now = state()
    message, reply = decisions.send(now, MEMBER, NewMessage(text="¿Qué?", key="k"), TEMPERATE, NOW)
    assert isinstance(message, MessageCreated)
    assert (message.seq, message.role, message.user, message.text, message.key) == (
        5,
        "user",
        MEMBER,
        "¿Qué?",
        "k",
    )
    assert isinstance(reply, ReplyRequested)
    assert (reply.seq, reply.message, reply.user, reply.settings) == (6, message.message, MEMBER, TEMPERATE)
    assert {message.conversation, reply.conversation} == {now.id}


def test_a_message_may_want_no_reply() -> None:
    """`reply: false` is a message alone."""
    events = decisions.send(state(), OWNER, NewMessage(text="Note.", reply=False), TEMPERATE, NOW)
    assert [event.type for event in events] == ["message.created"]


def test_the_first_message_gives_the_title() -> None:
    """A conversation without a title takes one from what is said, and keeps all else."""
    untitled = state(title="")
    *_, titled = decisions.send(untitled, OWNER, NewMessage(text="About owls\nand mice"), TEMPERATE, NOW)
    assert isinstance(titled, ConversationChanged)
    assert (titled.title, titled.members, titled.character) == ("About owls", [MEMBER], untitled.character)
    assert titled.settings == untitled.settings


def test_strangers_say_nothing() -> None:
    """Whoever takes no part can neither write nor change nor delete."""
    with pytest.raises(Forbidden):
        decisions.send(state(), STRANGER, NewMessage(text="Hi"), TEMPERATE, NOW)
    with pytest.raises(Forbidden):
        decisions.change(state(), STRANGER, ConversationChange(title="Mine"), NOW)
    with pytest.raises(Forbidden):
        decisions.delete(state(), STRANGER, NOW)


@pytest.mark.parametrize("text", ["", " ", "\n\t \u2003"])
def test_there_must_be_something_to_say(text: str) -> None:
    """Blank is empty, whatever it is blank with."""
    with pytest.raises(Invalid) as caught:
        decisions.check_text(text)
    assert (caught.value.code, caught.value.field) == ("text_empty", "text")


def test_length_is_counted_in_code_points() -> None:
    """32,000 owls are as long as 32,000 letters; one more is too long."""
    decisions.check_text("🦉" * decisions.MAX_TEXT)
    with pytest.raises(Invalid) as caught:
        decisions.check_text("x" * (decisions.MAX_TEXT + 1))
    assert caught.value.code == "text_too_long"


# ── change, delete ───────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_left_out_stays() -> None:
    """Each change says how it is from then on, whole."""
    before = state()
    [changed] = decisions.change(before, MEMBER, ConversationChange(title="Mice"), NOW)
    assert isinstance(changed, ConversationChanged)
    assert changed.title == "Mice"
    assert (changed.character, changed.members, changed.settings) == (before.character, [MEMBER], TEMPERATE)


def test_what_is_so_already_is_no_event() -> None:
    """Nothing said, or said as it is; put away beside it, only that happens."""
    before = state()
    as_it_is = {"title": "Owls", "members": [MEMBER], "busy": "queue", "character": before.character}
    for said in ({}, {"title": None}, as_it_is, {"settings": {"temperature": 0.5}}, {"archived": False}):
        assert decisions.change(before, OWNER, ConversationChange.model_validate(said), NOW) == []
    away = decisions.change(
        before, OWNER, ConversationChange.model_validate(as_it_is | {"archived": True}), NOW
    )
    assert [event.type for event in away] == ["conversation.archived"]


def test_null_takes_the_character_away_and_leaving_out_does_not() -> None:
    """A field that may be null is changed when it is said, whatever is said."""
    before = state()
    [with_it] = decisions.change(before, OWNER, ConversationChange(title="x"), NOW)
    [without] = decisions.change(before, OWNER, ConversationChange(character=None), NOW)
    assert isinstance(with_it, ConversationChanged)
    assert isinstance(without, ConversationChanged)
    assert (with_it.character, without.character) == (before.character, None)


def test_only_the_owner_says_who_takes_part_and_deletes() -> None:
    """A member may rename, and no more."""
    with pytest.raises(Forbidden):
        decisions.change(state(), MEMBER, ConversationChange(members=[]), NOW)
    with pytest.raises(Forbidden):
        decisions.delete(state(), MEMBER, NOW)
    [changed] = decisions.change(state(), OWNER, ConversationChange(members=[]), NOW)
    assert isinstance(changed, ConversationChanged)
    assert changed.members == []
    assert isinstance(decisions.delete(state(), OWNER, NOW)[0], ConversationDeleted)


def test_a_member_leaves_and_the_owner_cannot() -> None:
    """However often somebody is named; the others stay, and all else does."""
    before = state().model_copy(update={"members": [MEMBER, "usr_other", MEMBER]})
    [left] = decisions.leave(before, MEMBER, NOW)
    assert isinstance(left, ConversationChanged)
    assert (left.members, left.title, left.settings) == (["usr_other"], before.title, TEMPERATE)
    for user in (OWNER, STRANGER):
        with pytest.raises(Forbidden):
            decisions.leave(before, user, NOW)


def test_a_title_goes_with_the_message_that_it_was_made_of() -> None:
    """Also one that was cut; one that somebody gave, or that is of another message, stays."""
    before = state(title=title_of("word " * 30))
    [changed] = decisions.unnamed(before, "word " * 30, NOW)
    assert isinstance(changed, ConversationChanged)
    assert (changed.title, changed.members, changed.settings) == ("", [MEMBER], TEMPERATE)
    for text in ("word", "", " \n"):
        assert decisions.unnamed(before, text, NOW) == []
        assert decisions.unnamed(state(title=""), text, NOW) == []


# ── title ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Hola", "Hola"),
        ("  Two\twords  \n\nand more", "Two words"),
        ("¿" + "ab " * 30, "¿" + "ab " * 18 + "ab…"),
        ("x" * 61, "x" * 60 + "…"),
        ("A sentence that ends just where it must be cut, which is - here, and on", None),
        ("## Three **bold** birds\nand more", "Three bold birds"),
        ("- [Owls](https://example.org/a) and `__init__` of 2*3", "Owls and __init__ of 2*3"),
        ("``", "``"),
    ],
)
def test_a_title_is_the_first_line_cut_at_a_word(text: str, title: str | None) -> None:
    """Spaces become one; what is too long ends at a word, without the comma after it."""
    made = title_of(text)
    assert title is None or made == title
    assert not made.rstrip("…").endswith((",", " "))


@given(st.text(min_size=1).filter(str.strip))
def test_any_message_has_a_title(text: str) -> None:
    """Whatever is said gives one line, not empty, of at most 61 code points."""
    title = title_of(text)
    assert 0 < len(title) <= 61
    assert len(title.splitlines()) == 1
