"""The providers by name, each with the engine that its configuration asks for.

Here and nowhere else in this package are engines named. Another package adds one by an entry point in the
group `tertulia.providers`: its name is the `kind`, its value a callable from `ProviderConfig` to `Provider`.
"""

from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from importlib.metadata import entry_points
from types import TracebackType
from typing import Self, TypeAlias

from providers.config import ProviderConfig
from providers.contract import Provider
from providers.errors import UnknownProvider

__all__ = ["ENTRY_POINTS", "Engine", "ProviderConfig", "Registry"]

Engine: TypeAlias = Callable[[ProviderConfig], Provider]

ENTRY_POINTS = "tertulia.providers"


def _openai(config: ProviderConfig) -> Provider:
    # Imported here, as its brother below: a vendor's SDK costs its users alone.
    from providers.openai import OpenAIProvider

    return OpenAIProvider(config)


def _anthropic(config: ProviderConfig) -> Provider:
    from providers.anthropic import AnthropicProvider

    return AnthropicProvider(config)


_ENGINES: dict[str, Engine] = {"openai": _openai, "anthropic": _anthropic}


class Registry:
    """The configured providers, open for as long as the context lasts.

    Entering builds every engine, without any traffic, and raises `UnknownProvider` for a kind that nobody
    brings; leaving closes them all.
    """

    def __init__(self, configs: Iterable[ProviderConfig]) -> None:
        self._configs: dict[str, ProviderConfig] = {}
        for config in configs:
            if config.name in self._configs:
                raise ValueError(f"two providers are named {config.name!r}")
            self._configs[config.name] = config
        self._providers: dict[str, Provider] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Build the engines."""
        async with AsyncExitStack() as opened:
            for name, config in self._configs.items():
                provider = _engine(config.kind)(config)
                opened.push_async_callback(provider.aclose)
                self._providers[name] = provider
            self._stack = opened.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close them, the last first."""
        self._providers.clear()
        await self._stack.aclose()

    @property
    def names(self) -> tuple[str, ...]:
        """The configured names, in the order of the configuration."""
        return tuple(self._configs)

    @property
    def configs(self) -> tuple[ProviderConfig, ...]:
        """How they were configured, likewise."""
        return tuple(self._configs.values())

    def get(self, name: str) -> Provider:
        """Find a provider; raises `UnknownProvider`."""
        try:
            return self._providers[name]
        except KeyError:
            raise self._unknown(name) from None

    def config(self, name: str) -> ProviderConfig:
        """Find how a provider was configured; raises `UnknownProvider`."""
        try:
            return self._configs[name]
        except KeyError:
            raise self._unknown(name) from None

    def _unknown(self, name: str) -> UnknownProvider:
        known = ", ".join(self.names) or "none"
        return UnknownProvider(f"There is no provider {name!r}; configured: {known}.")


def _engine(kind: str) -> Engine:
    """Find an engine: ours first, so that no package takes the place of one unseen."""
    if kind in _ENGINES:
        return _ENGINES[kind]
    for entry_point in entry_points(group=ENTRY_POINTS, name=kind):
        return entry_point.load()
    raise UnknownProvider(f"No installed package brings a provider of the kind {kind!r}.")
