"""One answer out of a chain of providers: where one fails, the next takes over.

Before the first token silently; after it by policy: the next one goes on with the text so far, or begins anew, or the
answer fails. A chain yields a provider's deltas and, before the first of each provider, a `Begins` that says who has
the answer from there on, and why; so every piece of the text has its origin. Breakers are asked before each call and
told after it: a reader that leaves is no failure, a stream that breaks off after many tokens is one.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from providers.config import ProviderConfig
from providers.contract import Delta, Finish, Prompt, TextDelta
from providers.errors import ProviderError, Resting, UnknownModel
from providers.fitting import fitted
from providers.health import Health
from providers.profiles import Profile, context_of, profile
from providers.registry import Registry
from providers.tokens import estimate, within

OnBreak: TypeAlias = Literal["continue", "restart", "fail"]


@dataclass(frozen=True, slots=True)
class Link:
    """Whom to ask; without a model the one that the provider is configured with, or offers first."""

    provider: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Outage:
    """Who had the answer before, and why no longer."""

    provider: str
    model: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Begins:
    """Who has the answer from here on. `keep`: how many code points of the text so far stand.

    `notices` are sentences about settings that this model does not take, or about turns that it has no room for.
    """

    provider: str
    model: str
    profile: Profile
    keep: int
    notices: tuple[str, ...] = ()
    instead_of: Outage | None = None


@dataclass(slots=True)
class _Progress:
    """How far the answer has come."""

    kept: str
    pieces: list[str]
    begun: bool = False

    @property
    def text(self) -> str:
        return "".join((self.kept, *self.pieces))


class Chain:
    """Answers like one provider. Its first link is asked first."""

    def __init__(self, registry: Registry, health: Health, links: Sequence[Link], on_break: OnBreak) -> None:
        self._registry = registry
        self._health = health
        self._links = links
        self._on_break: OnBreak = on_break

    @property
    def name(self) -> str:
        """Who is asked first."""
        return self._links[0].provider

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Delta | Begins, None]:
        """Ask one after the other until one answers.

        The model is each link's own. Errors: the `ProviderError` of the last that was asked; one that only rests says
        less than the trouble before it.
        """
        progress = _Progress(prompt.kept, [])
        outage: Outage | None = None
        trouble: ProviderError | None = None
        for link in self._links:
            model = link.model or ""
            try:
                async with aclosing(self._ask(link.provider, model, prompt, progress, outage)) as deltas:
                    async for delta in deltas:
                        yield delta
            except ProviderError as error:
                if trouble is None or not isinstance(error, Resting):
                    trouble = error
                if progress.begun and self._on_break == "fail":
                    break
                outage = Outage(link.provider, model, error.code, error.detail)
            else:
                return
            if progress.begun and self._on_break == "restart":
                progress = _Progress("", [])
        if trouble is not None:
            raise trouble

    async def _ask(
        self, name: str, model: str, prompt: Prompt, progress: _Progress, outage: Outage | None
    ) -> AsyncGenerator[Delta | Begins, None]:
        """One link's part; its breaker hears how it ended."""
        provider, config = self._registry.get(name), self._registry.config(name)
        model = model or await first_model(self._registry, name)
        known = profile(config, model)
        asked, notices = fitted(_rest(prompt, model, progress.text, known), known)
        if outage is not None:
            asked, notices = _with_room(asked, notices, config)
        with await self._health.admit(name, model) as ticket:
            yield Begins(name, model, known, len(progress.text), notices, outage)
            try:
                async with aclosing(provider.stream(asked)) as deltas:
                    async for delta in deltas:
                        if isinstance(delta, TextDelta):
                            progress.pieces.append(delta.text)
                            progress.begun = True
                        elif isinstance(delta, Finish):
                            ticket.succeeded()
                        else:
                            progress.begun = True
                        yield delta
            except ProviderError as error:
                ticket.failed(error)
                raise


async def first_model(registry: Registry, name: str) -> str:
    """What a provider is configured with, else whatever it has loaded. Errors: `ProviderError`."""
    if chosen := registry.config(name).default_model:
        return chosen
    offered = await registry.get(name).models()
    if not offered:
        raise UnknownModel(f"{name} offers no model now.")
    return offered[0]


def _rest(prompt: Prompt, model: str, text: str, known: Profile) -> Prompt:
    """The prompt for what is still to be said."""
    limit = prompt.max_tokens
    if limit is not None and text:
        limit = max(1, limit - estimate([text], known))
    return replace(prompt, model=model, kept=text, max_tokens=limit)


def _with_room(
    prompt: Prompt, notices: tuple[str, ...], config: ProviderConfig
) -> tuple[Prompt, tuple[str, ...]]:
    """The prompt of another model made to fit this one's window."""
    turns, left_out = within(
        prompt.turns, context_of(config, prompt.model), prompt.max_tokens, profile(config, prompt.model)
    )
    if not left_out:
        return prompt, notices
    notice = f"{left_out} older messages left out for want of room."
    return replace(prompt, turns=turns), (*notices, notice)
