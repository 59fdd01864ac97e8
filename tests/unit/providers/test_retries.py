"""When a request is tried again, and how many are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import errors
from providers.retries import RetryBudget, pause, worth_retrying


def test_a_budget_is_spent_and_earned() -> None:
    """In the long run, so many requests earn one retry."""
    budget = RetryBudget(0.25)
    while budget.spend():
        pass
    for _ in range(3):
        budget.earn()
        assert not budget.spend()
    budget.earn()
    assert budget.spend()
    assert not budget.spend()


@given(st.lists(st.booleans(), max_size=400), st.floats(0, 1))
def test_a_provider_in_trouble_is_spared(requests: list[bool], share: float) -> None:
    """Whatever the order, there are never more retries than were saved and earned."""
    budget, earned, spent = RetryBudget(share), 10.0, 0
    for request in requests:
        if request:
            budget.earn()
            earned += share
        else:
            spent += budget.spend()
    assert spent <= earned + 1e-6


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (errors.RateLimited("x"), True),
        (errors.Overloaded("x"), True),
        (errors.Unreachable("x"), True),
        (errors.Truncated("x"), True),
        (errors.SlowToBegin("x"), False),
        (errors.SlowToConnect("x"), False),
        (errors.Unauthorized("x"), False),
        (errors.BadRequest("x"), False),
    ],
)
def test_what_is_tried_again(error: errors.ProviderError, again: bool) -> None:
    """What may pass at once; not what was waited for already, and not what stays wrong."""
    assert worth_retrying(error) is again


def test_pauses() -> None:
    """As long as the provider asks; else longer each time, up to a limit; none for a connection that was closed."""
    assert pause(errors.RateLimited("x", retry_after=17), 0, 0.5) == 17
    assert pause(errors.Overloaded("x"), 0, 0.0) < pause(errors.Overloaded("x"), 1, 0.0)
    assert pause(errors.Overloaded("x"), 60, 1.0) == 8
    assert pause(errors.Unreachable("x"), 0, 1.0) == 0
    assert pause(errors.Unreachable("x"), 1, 0.0) > 0
