"""Who has the say about a reply: this send, the conversation, the character, the server, in this order."""

import pytest
from pydantic import ValidationError

from server.domain.settings import ReplySettings as Settings

SERVER = Settings(provider="local", model="small", temperature=0.7, max_tokens=512)


def test_what_is_said_stands_and_the_rest_comes_from_below() -> None:
    """Each layer covers the ones below it, field by field."""
    character = Settings(temperature=0.1, context_window=4096)
    send = Settings(max_tokens=9)
    made = send.over(character.over(SERVER))
    assert made == Settings(
        provider="local", model="small", temperature=0.1, max_tokens=9, context_window=4096
    )


def test_a_model_belongs_to_its_provider() -> None:
    """Another provider without a model does not inherit one that it may not have."""
    assert Settings(provider="openai").over(SERVER).model is None
    assert Settings(provider="openai", model="gpt").over(SERVER).model == "gpt"
    assert Settings(provider="local").over(SERVER).model == "small"
    assert Settings(model="large").over(SERVER).provider == "local"


def test_zero_is_something_said() -> None:
    """A temperature of 0 is no missing temperature."""
    assert Settings(temperature=0).over(SERVER).temperature == 0


@pytest.mark.parametrize(
    "wrong", [{"temperature": 2.1}, {"max_tokens": 0}, {"context_window": 255}, {"temprature": 1}]
)
def test_nonsense_is_refused(wrong: dict[str, float]) -> None:
    """Out of range, or misspelt: an error, and not silence."""
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)
