"""What a model gets to see when not everything fits."""

from hypothesis import given
from hypothesis import strategies as st

from providers.contract import estimate_tokens
from server.domain.ids import new_id
from server.domain.message import Role
from server.queries.context import fit
from server.queries.windows import Passage

PER_TURN = 4


def message(text: str, role: Role = "user", seq: int = 1) -> Passage:
    """A message of the conversation."""
    return Passage(new_id("msg"), seq, role, text, parent=None, chosen=True)


def test_everything_in_its_order_when_there_is_room() -> None:
    """Instructions first, then the conversation, the question last."""
    turns, left_out = fit("Be kind.", [message("Hi"), message("Hello", "assistant"), message("Owls?")], 1000)
    assert [(turn.role, turn.text) for turn in turns] == [
        ("system", "Be kind."),
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "Owls?"),
    ]
    assert left_out == 0


def test_the_oldest_go_first() -> None:
    """Messages are left out from the beginning, and nobody after one that did not fit."""
    messages = [message("short"), message("x" * 400), message("middle"), message("last")]
    turns, left_out = fit("", messages, 40)
    assert [turn.text for turn in turns] == ["middle", "last"]
    assert left_out == 2


def test_instructions_and_question_never_go() -> None:
    """A model that is asked something too long may say so; it is not asked something else."""
    turns, left_out = fit("x" * 4000, [message("before"), message("y" * 4000)], 10)
    assert [turn.role for turn in turns] == ["system", "user"]
    assert left_out == 1


def test_replies_that_said_nothing_are_no_turns() -> None:
    """One that failed at once has no text, and does not count as left out."""
    turns, left_out = fit("", [message("Hi"), message("", "assistant"), message("Still there?")], 1000)
    assert [turn.text for turn in turns] == ["Hi", "Still there?"]
    assert left_out == 0


@given(
    st.text(max_size=60),
    st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=12),
    st.integers(0, 200),
)
def test_what_fits_is_the_longest_end_of_the_conversation(
    instructions: str, texts: list[str], budget: int
) -> None:
    """Within the budget unless the question alone exceeds it, and one message more would not have fitted."""
    turns, left_out = fit(instructions, [message(text) for text in texts], budget)
    said = [turn.text for turn in turns if turn.role != "system"]
    assert said == texts[left_out:]

    def cost(*parts: str) -> int:
        return sum(estimate_tokens(part) + PER_TURN for part in parts if part)

    assert cost(instructions, *said) <= budget or len(said) == 1
    if left_out:
        assert cost(instructions, texts[left_out - 1], *said) > budget
