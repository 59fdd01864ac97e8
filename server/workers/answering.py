"""Who is asked for a reply, and with what: from its settings to a chain of providers and a prompt that fits."""

from collections.abc import Sequence
from functools import partial

from providers.chain import Chain, Link, OnBreak, first_model
from providers.errors import ProviderError, UnknownProvider
from providers.health import Health
from providers.profiles import Profile, context_of, profile
from providers.registry import Registry
from providers.tokens import counts
from realtime.queue.contract import Job
from server.domain.reply import Reply
from server.queries.context import Context, Contexts, Told
from server.queries.windows import Passage
from server.workers.passages import question_of

UNKNOWN = "unknown"
"""In place of a model that the provider could not name; the chain asks again."""


class Answering:
    """What every reply of a worker is asked with. `fallbacks` and `on_break` are for replies that say nothing."""

    def __init__(
        self,
        registry: Registry,
        health: Health,
        contexts: Contexts,
        fallbacks: Sequence[Link],
        on_break: OnBreak,
    ) -> None:
        self._registry = registry
        self._health = health
        self._contexts = contexts
        self._fallbacks = fallbacks
        self._on_break: OnBreak = on_break

    async def model(self, reply: Reply, provider: str) -> str:
        """What was chosen, else what the provider is configured with or offers first, else `UNKNOWN`."""
        if reply.settings.model:
            return reply.settings.model
        try:
            return await first_model(self._registry, provider)
        except ProviderError:
            return UNKNOWN

    async def told(self, job: Job) -> Told:
        """What leads to the message that a job's reply answers. Errors: `NotFound`, `Unavailable`."""
        said = job.payload
        return await self._contexts.told(said["conversation"], said["message"], question_of(said))

    async def answered(self, told: Told, conversation: str, version: int, answer: Passage) -> None:
        """An answer to what was told has ended; at `version` that is all its conversation says. It raises nothing."""
        await self._contexts.ended(conversation, version, told, answer)

    async def context(self, reply: Reply, provider: str, model: str, told: Told) -> Context:
        """What the model gets to see, counted as it counts. Errors: `NotFound`, `Unavailable`, `UnknownProvider`."""
        config = self._registry.config(provider)
        offered = context_of(config, model)
        window = min(reply.settings.context_window or offered, offered)
        known = profile(config, model)
        return await self._contexts(reply, model, window, partial(counts, known=known), told)

    def known(self, reply: Reply) -> Profile | None:
        """The profile of the model that an earlier attempt asked; None if there was none, or it is gone from here."""
        if reply.provider is None or reply.model is None:
            return None
        try:
            return profile(self._registry.config(reply.provider), reply.model)
        except UnknownProvider:
            return None

    def chain(self, reply: Reply, provider: str, model: str) -> Chain:
        """Who answers, one after the other."""
        settings = reply.settings
        fallbacks = self._fallbacks
        if settings.fallbacks is not None:
            fallbacks = [Link(one.provider, one.model) for one in settings.fallbacks]
        first = Link(provider, None if model == UNKNOWN else model)
        rest = [link for link in fallbacks if link not in (first, Link(provider))]
        return Chain(self._registry, self._health, [first, *rest], settings.on_break or self._on_break)
