"""The honest guess at a text's tokens."""

import pytest

from providers.contract import estimate_tokens


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("x" * 400, 100)])
def test_four_characters_are_a_token(text: str, tokens: int) -> None:
    """Rounded up, so that a text that is there costs something."""
    assert estimate_tokens(text) == tokens
