"""How a reply is to be made: what a request, the conversation, its character and the server say about it together."""

from collections.abc import Collection
from typing import Protocol

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

    def __init__(self, characters: Characters, defaults: ReplySettings, providers: Collection[str]) -> None:
        self._characters = characters
        self._defaults = defaults
        self._providers = providers

    async def __call__(self, state: Conversation, wanted: ReplySettings | bool) -> ReplySettings:
        """`wanted` over the conversation over its character over the server; False wants no reply.

        Errors: `Invalid` with `unknown_provider`; `Unavailable`.
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
