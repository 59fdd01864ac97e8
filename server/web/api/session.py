"""Who somebody is, and what can be asked."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from providers.breaker import State
from providers.errors import ProviderError
from providers.health import Health, key_of
from providers.profiles import context_of, prefills, profile, streams
from providers.registry import Registry
from server.domain.errors import Forbidden
from server.domain.quota import day_ends
from server.storage.allowances import Allowances
from server.storage.pages import Page
from server.web.auth import Tokens, guest
from server.web.operations import Call, Operation

_TAG = "Session"
_FRESH_SECONDS = 2.0


class NewSession(BaseModel):
    """A guest's request."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, max_length=100)


class GuestSession(BaseModel):
    """A token for a new user."""

    token: str
    user: str
    name: str


class RepliesInFlight(BaseModel):
    """How many replies are being made, and how many more may be."""

    used: int
    left: int | None = Field(description="Null: any number.")
    limit: int | None


class TokensToday(BaseModel):
    """Tokens of this day (UTC): spent, held by replies in flight, and left."""

    used: int
    held: int
    left: int | None = Field(description="Null: any number.")
    limit: int | None
    resets_at: datetime = Field(description="When the next day begins.")


class UserQuota(BaseModel):
    """What one has, and what one may have."""

    replies: RepliesInFlight
    tokens: TokensToday


class Me(BaseModel):
    """Whose token it is."""

    id: str
    name: str
    quota: UserQuota | None = Field(description="Null where there are no limits.")


class Takes(BaseModel):
    """What a model can do and takes, as far as it is known."""

    model_config = ConfigDict(from_attributes=True)

    streams: bool = Field(description="Whether its answer comes in pieces; else all of it at once.")
    reasoning: bool
    effort: bool
    tools: bool
    images: bool = Field(description="For information: messages here are text, and no images are sent.")
    temperature: bool
    top_p: bool
    stop: bool
    prefill: bool
    context: int = Field(description="Tokens of prompt and answer.")
    priced: bool


class Model(BaseModel):
    """A model that can be asked."""

    provider: str
    model: str
    default: bool = Field(description="What answers where nobody chooses.")
    state: State = Field(
        description="`closed`: it is asked; `open`: it failed too often and rests; `half_open`: it is tried carefully."
    )
    reachable: bool = Field(description="Whether the provider answered just now.")
    takes: Takes


class SessionRoutes:
    """`/v1/session`, `/v1/me`, `/v1/models`."""

    def __init__(
        self,
        tokens: Tokens,
        registry: Registry,
        health: Health,
        default_provider: str,
        allowances: Allowances,
        clock: Callable[[], datetime],
        *,
        guests: bool,
    ) -> None:
        self._tokens = tokens
        self._registry = registry
        self._health = health
        self._default_provider = default_provider
        self._allowances = allowances
        self._clock = clock
        self._guests = guests
        self._asking = asyncio.Lock()
        self._offers: dict[str, tuple[bool, list[str]]] = {}
        self._offers_until = 0.0

    def operations(self) -> list[Operation]:
        """The routes, in the order of the documentation."""
        begin = Operation(
            "POST", "/v1/session", "Become a guest", self.begin_session, _TAG, NewSession, GuestSession
        )
        return [
            replace(begin, status=201, public=True),
            Operation("GET", "/v1/me", "Whose token it is", self.me, _TAG, None, Me),
            Operation("GET", "/v1/models", "What can be asked now", self.models, _TAG, None, Page[Model]),
        ]

    async def begin_session(self, call: Call) -> GuestSession:
        """Become somebody."""
        if not self._guests:
            raise Forbidden("guests_not_allowed", "Here one needs a token.")
        user = guest(call.body.name)
        return GuestSession(token=self._tokens.issue(user), user=user.id, name=user.name)

    async def me(self, call: Call) -> Me:
        """Who am I?"""
        return Me(id=call.user.id, name=call.user.name, quota=await self._quota(call.user.id))

    async def _quota(self, user: str) -> UserQuota | None:
        quota, now = self._allowances.quota, self._clock()
        if not quota.limits:
            return None
        account = await self._allowances.account(user, now)
        replies, held = len(account.held), account.reserved
        return UserQuota(
            replies=RepliesInFlight(used=replies, left=_left(quota.replies, replies), limit=quota.replies),
            tokens=TokensToday(
                used=account.spent,
                held=held,
                left=_left(quota.tokens, account.spent + held),
                limit=quota.tokens,
                resets_at=day_ends(now),
            ),
        )

    async def models(self, call: Call) -> Page[Model]:
        """What can be asked now; a provider that does not answer offers its default model alone, or nothing."""
        offers = await self._offered()
        await self._health.refresh(
            [key_of(name, model) for name, (_, models) in offers.items() for model in models]
        )
        items = [
            self._model(name, model, models, reachable=reachable)
            for name, (reachable, models) in offers.items()
            for model in models
        ]
        return Page(items=items, next=None, previous=None)

    async def _offered(self) -> dict[str, tuple[bool, list[str]]]:
        """What all of them have now, or had a moment ago: a crowd of clients is no crowd to them."""
        async with self._asking:
            if (now := asyncio.get_running_loop().time()) >= self._offers_until:
                names = self._registry.names
                told = await asyncio.gather(*map(self._offer, names))
                self._offers, self._offers_until = dict(zip(names, told, strict=True)), now + _FRESH_SECONDS
            return self._offers

    async def _offer(self, name: str) -> tuple[bool, list[str]]:
        """Whether a provider answers, and what it has; the model that it is configured with comes first."""
        chosen = self._registry.config(name).default_model
        try:
            offered, reachable = await self._registry.get(name).models(), True
        except ProviderError:
            offered, reachable = [], False
        if chosen is not None and chosen not in offered:
            offered = [chosen, *offered]
        return reachable, offered

    def _model(self, name: str, model: str, offered: list[str], *, reachable: bool) -> Model:
        config = self._registry.config(name)
        known = profile(config, model)
        first = config.default_model or offered[0]
        told = asdict(known) | {"context": context_of(config, model), "priced": bool(known.price)}
        told |= {"prefill": prefills(config, model), "streams": streams(config, model)}
        return Model(
            provider=name,
            model=model,
            default=name == self._default_provider and model == first,
            state=self._health.state(name, model),
            reachable=reachable,
            takes=Takes.model_validate(told),
        )


def _left(limit: int | None, used: int) -> int | None:
    return None if limit is None else max(0, limit - used)
