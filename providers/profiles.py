"""What each model can do and takes: data (`profiles.toml`), found by engine, provider and model."""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from providers.config import ProviderConfig

_FILE = Path(__file__).with_name("profiles.toml")


@dataclass(frozen=True, slots=True)
class Profile:
    """One model's; each field is explained in `profiles.toml`."""

    streams: bool
    reasoning: bool
    effort: bool
    tools: bool
    images: bool
    system: bool
    temperature: bool
    top_p: bool
    stop: bool
    prefill: bool
    context: int
    price: str
    encoding: str
    margin: float


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: str | None
    providers: tuple[str, ...]
    models: tuple[str, ...]
    profile: Profile

    def fits(self, config: ProviderConfig, model: str) -> bool:
        if self.kind is not None and self.kind != config.kind:
            return False
        if self.providers and config.name not in self.providers:
            return False
        return any(fnmatchcase(model.lower(), pattern) for pattern in self.models)


@lru_cache(maxsize=1024)
def profile(config: ProviderConfig, model: str) -> Profile:
    """What is known of a model, or the safe defaults."""
    rules, default = _rules()
    return next((rule.profile for rule in rules if rule.fits(config, model)), default)


@lru_cache(maxsize=1)
def _rules() -> tuple[tuple[_Rule, ...], Profile]:
    told = tomllib.loads(_FILE.read_text())
    default: dict[str, Any] = told["default"]
    return tuple(_rule(one, default) for one in told["profile"]), Profile(**default)


def _rule(told: dict[str, Any], default: dict[str, Any]) -> _Rule:
    said = dict(told)
    kind, providers, models = said.pop("kind", None), said.pop("providers", ()), said.pop("models")
    return _Rule(kind, tuple(providers), tuple(models), Profile(**{**default, **said}))


def prefills(config: ProviderConfig, model: str) -> bool:
    """Whether a model goes on with an answer that stands last; the operator's word counts before the profile's."""
    return profile(config, model).prefill if config.prefill is None else config.prefill


def streams(config: ProviderConfig, model: str) -> bool:
    """Whether a model tells its answer in pieces; the others are asked for the whole of it. Likewise."""
    return profile(config, model).streams if config.streams is None else config.streams


def context_of(config: ProviderConfig, model: str) -> int:
    """Tokens of prompt and answer together: the smaller of what the provider is configured for and the model takes."""
    known = profile(config, model).context
    return min(known, config.context_window) if known else config.context_window
