"""How a reply is to be made: what a request, the conversation, its character and the server say about it together."""

from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from providers.config import ProviderConfig
from providers.fitting import misfit_of
from providers.profiles import profile
from server.domain.character import Character
from server.domain.conversation import Conversation
from server.domain.errors import Invalid, NotFound
from server.domain.settings import ReplySettings


class Characters(Protocol):
    """Where characters are read: the store, or what keeps what was read there."""

    async def character(self, character: str) -> Character:
        """One character. Errors: `NotFound`, `Unavailable`."""
        ...


class SettingsInForce:
    """Call it; who is nearer to the reply decides."""

    def __init__(
        self,
        characters: Characters,
        defaults: ReplySettings,
        providers: Collection[str],
        check: Callable[[ReplySettings], None] | None = None,
    ) -> None:
        self._characters = characters
        self._defaults = defaults
        self._providers = providers
        self._check = check

    def knows(self, provider: str | None) -> bool:
        """Whether a reply may be asked of it; None is whichever is in force."""
        return provider is None or provider in self._providers

    async def __call__(self, state: Conversation, wanted: ReplySettings | bool) -> ReplySettings:
        """`wanted` over the conversation over its character over the server; False wants no reply.

        Errors: `Invalid` with `unknown_provider`, and those of `check` for a reply that is wanted; `Unavailable`.
        """
        settings = self._defaults
        if state.character is not None:
            try:
                character = await self._characters.character(state.character)
                settings = character.reply_settings().over(settings)
            except NotFound:
                pass  # deleted meanwhile: the conversation goes on without
        settings = state.settings.over(settings)
        if isinstance(wanted, ReplySettings):
            settings = wanted.over(settings)
        check_provider(settings, self._providers)
        if self._check is not None and wanted is not False:
            self._check(settings)
        return settings


def check_provider(settings: ReplySettings, providers: Collection[str]) -> None:
    """Errors: `Invalid` with `unknown_provider`."""
    named = [("provider", settings.provider)] if settings.provider is not None else []
    named += [("fallbacks", fallback.provider) for fallback in settings.fallbacks or ()]
    for field, provider in named:
        if provider not in providers:
            known = ", ".join(sorted(providers))
            raise Invalid(
                "unknown_provider", f"There is no provider {provider!r} here, only {known}.", field=field
            )


class CheckModel:
    """Call it: refuses what the model would refuse for certain, before anything is accepted.

    A model that nobody named, and that the provider is asked for when its turn comes, cannot be known here; neither is
    a fallback looked at, which might never be asked. Both are checked once more before they are asked.
    """

    def __init__(self, configs: Iterable[ProviderConfig], default_provider: str) -> None:
        self._configs = {config.name: config for config in configs}
        self._default_provider = default_provider

    def __call__(self, settings: ReplySettings) -> None:
        """Errors: `Invalid` with `unsupported_setting`, and the field."""
        config = self._configs[settings.provider or self._default_provider]
        model = settings.model or config.default_model
        if model is None:
            return
        known = profile(config, model)
        misfit = misfit_of(model, known, stop=bool(settings.stop), tools=bool(settings.tools))
        if misfit is not None:
            raise Invalid("unsupported_setting", misfit.detail, field=misfit.field)
