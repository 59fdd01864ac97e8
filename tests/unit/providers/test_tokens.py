"""What of a prompt fits into the window of whoever takes over."""

from hypothesis import given
from hypothesis import strategies as st

from providers.config import ProviderConfig
from providers.contract import ToolCall, Turn
from providers.profiles import profile
from providers.tokens import costs, room, within

KNOWN = profile(ProviderConfig("openai", "openai"), "gpt-4o")
SYSTEM = Turn("system", "You keep owls.")


@given(words=st.lists(st.integers(0, 60), max_size=40), window=st.integers(1, 2000))
def test_the_oldest_go_first(words: list[int], window: int) -> None:
    """What is kept fits, unless it is only the instructions and the last turn; what is left out would not have."""
    spoken = [Turn("user", "owl " * count) for count in words] + [Turn("user", "Well?")]
    kept, left_out = within([SYSTEM, *spoken], window, None, KNOWN)
    assert kept == (SYSTEM, *spoken[left_out:])
    assert kept[-1] == spoken[-1]
    assert len(kept) == 2 or sum(costs(kept, KNOWN)) <= room(window, None)
    if left_out:
        assert sum(costs([SYSTEM, *spoken[left_out - 1 :]], KNOWN)) > room(window, None)


def test_what_a_tool_gave_goes_with_its_call() -> None:
    """One without the other is refused everywhere."""
    call = Turn("assistant", "owl " * 500, (ToolCall("c", "look", "{}"),))
    turns = [Turn("user", "Look."), call, Turn("tool", "An owl.", call_id="c"), Turn("user", "And?")]
    kept, left_out = within(turns, 200, None, KNOWN)
    assert (kept, left_out) == ((turns[3],), 3)


def test_an_answer_with_a_limit_leaves_the_rest_to_the_prompt() -> None:
    """Without one it gets its part of the window."""
    assert (room(1000, 100), room(1000, None)) == (900, 750)
