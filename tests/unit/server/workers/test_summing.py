"""Which messages are summed up at once, and how they are told."""

from datetime import UTC, datetime

from server.domain.ids import new_id
from server.domain.message import Message, Role, Status
from server.queries.context import estimated
from server.workers.summing import piece

NOW = datetime(2026, 11, 24, tzinfo=UTC)
CONVERSATION = new_id("cnv")


def message(text: str, role: Role = "user", status: Status = "completed") -> Message:
    """A message of the conversation."""
    return Message(
        id=new_id("msg"),
        conversation=CONVERSATION,
        seq=1,
        role=role,
        user=None if role == "assistant" else "usr_1",
        text=text,
        status=status,
        created_at=NOW,
    )


def test_who_said_what() -> None:
    """A message each; what was taken back, or never said, is none, and is done with."""
    told = piece([message("Owls?"), message("", "assistant"), message("Yes.", "assistant")], 100, estimated)
    assert told == (3, "user: Owls?\nassistant: Yes.")


def test_as_much_as_there_is_room_for() -> None:
    """The rest is for the next time."""
    said, text = piece([message("short"), message("x" * 400), message("last")], 50, estimated)
    assert (said, text) == (1, "user: short")


def test_one_that_is_too_long_is_cut() -> None:
    """Otherwise it would stand in the way for ever."""
    said, text = piece([message("x" * 400), message("last")], 50, estimated)
    assert said == 1
    assert estimated([text])[0] <= 50 < estimated(["x" * 400])[0]


def test_what_is_still_being_made_waits() -> None:
    """And all after it."""
    messages = [message("Owls?"), message("Ye", "assistant", "running"), message("And?")]
    assert piece(messages, 100, estimated) == (1, "user: Owls?")
    assert piece(messages[1:], 100, estimated) == (0, "")
