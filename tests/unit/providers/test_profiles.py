"""What models can do, as data; and prompts made to fit."""

from dataclasses import replace

import pytest

from providers.config import ProviderConfig
from providers.contract import Prompt, Tool, Turn, Usage
from providers.errors import Unsupported
from providers.fitting import fitted
from providers.prices import cost
from providers.profiles import context_of, prefills, profile, streams
from providers.tokens import counts, estimate

OPENAI = ProviderConfig("openai", "openai", context_window=1_000_000)
ANTHROPIC = ProviderConfig("anthropic", "anthropic", context_window=1_000_000)
TURNS = (Turn("system", "Be brief."), Turn("user", "Hi."))
TOOL = Tool("look", "Look.", {"type": "object"})


def test_an_unknown_model_gets_safe_defaults() -> None:
    """It takes what nearly all take, no answer is put into its mouth, and no price is made up."""
    unknown = profile(OPENAI, "acme/owl-7b")
    assert (unknown.temperature, unknown.top_p, unknown.stop, unknown.system) == (True,) * 4
    assert (unknown.prefill, unknown.images, unknown.effort, unknown.price) == (False, False, False, "")


@pytest.mark.parametrize(
    ("config", "model", "takes", "prefill"),
    [
        (OPENAI, "gpt-5-mini", False, False),
        (OPENAI, "GPT-5-Mini", False, False),
        (OPENAI, "gpt-4.1-mini", True, False),
        (ANTHROPIC, "claude-haiku-4-5", True, True),
        (ANTHROPIC, "claude-opus-4-7", False, False),
        (ProviderConfig("lmstudio", "openai"), "gpt-5-lookalike", True, True),
    ],
)
def test_known_models(config: ProviderConfig, model: str, takes: bool, prefill: bool) -> None:
    """A model is found by engine, provider and name, the special before the general."""
    assert profile(config, model).temperature is takes
    assert prefills(config, model) is prefill


def test_models_stream_unless_it_is_known_that_they_do_not() -> None:
    """The operator's word counts before the profile's."""
    assert streams(OPENAI, "owl")
    assert not streams(replace(OPENAI, streams=False), "owl")


def test_the_operator_knows_better() -> None:
    """What a provider is configured with counts before the profile; a window only where it is the smaller one."""
    assert prefills(ProviderConfig("openai", "openai", prefill=True), "gpt-5-mini")
    assert context_of(ProviderConfig("openai", "openai", context_window=9000), "gpt-4o") == 9000
    assert context_of(OPENAI, "gpt-4o") == 128_000
    assert context_of(OPENAI, "owl") == 1_000_000


def test_what_changes_little_is_left_out_and_told() -> None:
    """The prompt goes without, and each setting has its sentence."""
    prompt = Prompt("gpt-5-mini", TURNS, temperature=0.5, top_p=0.1, effort="low", max_tokens=9)
    fitting, notices = fitted(prompt, profile(OPENAI, "gpt-5-mini"))
    assert fitting == Prompt("gpt-5-mini", TURNS, effort="low", max_tokens=9)
    assert len(notices) == 2
    assert "temperature" in notices[0]
    fitting, notices = fitted(prompt, profile(OPENAI, "owl"))
    assert (fitting.temperature, fitting.effort) == (0.5, None)
    assert "reasoning_effort" in notices[0]


@pytest.mark.parametrize("wanted", [{"stop": ("END",)}, {"tools": (TOOL,)}])
def test_what_changes_the_meaning_is_refused(wanted: dict[str, tuple[object, ...]]) -> None:
    """A model that cannot stop there, or use that, is not asked for something else."""
    local = profile(ProviderConfig("local", "openai"), "smollm2")
    refuses = profile(OPENAI, "gpt-5-mini") if "stop" in wanted else local
    with pytest.raises(Unsupported):
        fitted(Prompt("m", TURNS, **wanted), refuses)


def test_prices() -> None:
    """Cached tokens cost less; a model without a list has no price, and neither has one that the list lacks."""
    mini = profile(OPENAI, "gpt-5-mini")
    whole = cost(mini, "gpt-5-mini", Usage(1000, 100, exact=True))
    cached = cost(mini, "gpt-5-mini", Usage(1000, 100, exact=True, cached=900))
    assert whole is not None
    assert cached is not None
    assert 0 < cached < whole
    assert cost(mini, "gpt-5-imaginary-9", Usage(1000, 100, exact=True)) is None
    assert cost(profile(OPENAI, "owl"), "owl", Usage(1, 1, exact=True)) is None


def test_counts() -> None:
    """Counted by the model's encoding, and on the safe side where that is not known."""
    assert estimate(["hello world"], profile(OPENAI, "gpt-4o")) == 2
    assert counts(["", "hello world"], profile(OPENAI, "owl")) == [0, 3]
