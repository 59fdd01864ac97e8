"""What a reply came to of which no worker can give an account any more: an estimate, with the price of it."""

from collections.abc import Iterable, Sequence
from functools import partial

from providers.config import ProviderConfig
from providers.contract import Usage as Tokens
from providers.contract import estimate_tokens
from providers.prices import cost
from providers.profiles import Profile, context_of, profile
from providers.tokens import counts, estimate
from server.domain.answer import Span, Usage
from server.domain.errors import NotFound, Unavailable
from server.domain.reply import Reply
from server.queries.context import Contexts


class Accounts:
    """Counts as the model counts that was asked last, by the providers that are configured.

    Without `contexts` only what was written is counted, and not what was asked.
    """

    def __init__(self, configs: Iterable[ProviderConfig], contexts: Contexts | None = None) -> None:
        self._configs = {config.name: config for config in configs}
        self._contexts = contexts

    async def spans(self, reply: Reply, text: str) -> list[Span]:
        """Who wrote the text that is there, and what it came to; nobody wrote none."""
        if not text:
            return []
        config, model = self._configs.get(reply.provider or ""), reply.model or ""
        if config is None:
            # Taken out of the configuration meanwhile: a guess, and no price.
            used, price = Tokens(0, estimate_tokens(text), exact=False), None
        else:
            known = profile(config, model)
            asked = await self._asked(reply, config, model, known)
            used = Tokens(estimate(asked, known), estimate([text], known), exact=False)
            price = cost(known, model, used)
        span = Span(
            provider=reply.provider or "",
            model=model,
            attempt=reply.attempt,
            start=0,
            end=len(text),
            outcome="worker_lost",
            usage=Usage(input=used.input, output=used.output, exact=False),
            cost=price,
        )
        return [span]

    async def _asked(self, reply: Reply, config: ProviderConfig, model: str, known: Profile) -> Sequence[str]:
        """The texts of its prompt, as they can be found now; none where they cannot: the end does not wait for it."""
        if self._contexts is None:
            return []
        offered = context_of(config, model)
        window = min(reply.settings.context_window or offered, offered)
        try:
            context = await self._contexts(reply, model, window, partial(counts, known=known))
        except (NotFound, Unavailable):
            return []
        return [turn.text for turn in context.prompt.turns]
