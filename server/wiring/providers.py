"""Which providers are configured, and who answers where nobody chooses."""

from dataclasses import replace

from providers.chain import Link
from providers.config import Limits, ProviderConfig
from server.embedded.model import ALIAS, CONTEXT, MAX_TOKENS
from server.settings import Settings
from server.wiring.errors import NotConfigured

_OPENAI_MODEL = "gpt-5-mini"
_ANTHROPIC_MODEL = "claude-haiku-4-5"
_LARGE_WINDOW = 128_000


def provider_configs(settings: Settings) -> list[ProviderConfig]:
    """What is configured, in the order of preference. Errors: `NotConfigured` when nothing is."""
    configs: list[ProviderConfig] = []
    if settings.openai_api_key or settings.openai_base_url:
        key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
        # Another server than OpenAI's has models of its own names: it is asked which.
        model = None if settings.openai_base_url else _OPENAI_MODEL
        configs.append(
            ProviderConfig(
                "openai", "openai", settings.openai_base_url, key, model, context_window=_LARGE_WINDOW
            )
        )
    if settings.anthropic_api_key or settings.anthropic_base_url:
        key = settings.anthropic_api_key.get_secret_value() if settings.anthropic_api_key else None
        url = settings.anthropic_base_url
        configs.append(
            ProviderConfig("anthropic", "anthropic", url, key, _ANTHROPIC_MODEL, context_window=_LARGE_WINDOW)
        )
    if settings.lmstudio_base_url:
        configs.append(ProviderConfig("lmstudio", "openai", settings.lmstudio_base_url))
    if settings.local_model_url:
        configs.append(
            ProviderConfig(
                "local",
                "openai",
                settings.local_model_url,
                default_model=ALIAS,
                max_tokens=MAX_TOKENS,
                context_window=CONTEXT,
            )
        )
    if not configs:
        raise NotConfigured(
            "No model is configured: set OPENAI_API_KEY, ANTHROPIC_API_KEY or LMSTUDIO_BASE_URL, or use "
            "`python -m server up`, which brings a small model of its own."
        )
    limits = Limits(
        connect=settings.connect_seconds,
        first_token=settings.first_token_seconds,
        between_tokens=settings.between_tokens_seconds,
        whole=settings.whole_reply_seconds,
        retries=settings.retries,
    )
    return [replace(_with_model(config, settings), limits=limits) for config in configs]


def choose_provider(settings: Settings, configs: list[ProviderConfig]) -> str:
    """Who answers where nobody chooses. Errors: `NotConfigured`."""
    names = [config.name for config in configs]
    if settings.provider is None:
        return names[0]
    if settings.provider not in names:
        raise NotConfigured(f"CHAT_PROVIDER={settings.provider}, but only {', '.join(names)} is configured.")
    return settings.provider


def fallback_links(settings: Settings, configs: list[ProviderConfig]) -> list[Link]:
    """Who answers when a provider fails, in this order. Errors: `NotConfigured`."""
    names = [config.name for config in configs]
    links: list[Link] = []
    for word in filter(None, (part.strip() for part in settings.fallbacks.split(","))):
        provider, _, model = word.partition(":")
        if provider not in names:
            raise NotConfigured(
                f"CHAT_FALLBACKS={settings.fallbacks}, but only {', '.join(names)} is configured."
            )
        links.append(Link(provider, model or None))
    return links


def summary_link(settings: Settings, configs: list[ProviderConfig]) -> Link | None:
    """Who sums up what fell out of a window, if anybody does. Errors: `NotConfigured`."""
    if settings.summary_provider is None and settings.summary_model is None:
        return None
    provider = settings.summary_provider or choose_provider(settings, configs)
    names = [config.name for config in configs]
    if provider not in names:
        raise NotConfigured(f"CHAT_SUMMARY_PROVIDER={provider}, but only {', '.join(names)} is configured.")
    return Link(provider, settings.summary_model)


def _with_model(config: ProviderConfig, settings: Settings) -> ProviderConfig:
    """`CHAT_MODEL` is the model of the default provider."""
    if settings.model is not None and config.name == (settings.provider or config.name):
        return replace(config, default_model=settings.model)
    return config
