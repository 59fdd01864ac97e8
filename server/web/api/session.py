"""Who somebody is, and what can be asked."""

from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from providers.errors import ProviderError
from providers.registry import Registry
from server.domain.errors import Forbidden
from server.storage.pages import Page
from server.web.auth import Tokens, guest
from server.web.operations import Call, Operation

_TAG = "Session"


class NewSession(BaseModel):
    """A guest's request."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(default=None, max_length=100)


class GuestSession(BaseModel):
    """A token for a new user."""

    token: str
    user: str
    name: str


class Me(BaseModel):
    """Whose token it is."""

    id: str
    name: str


class Model(BaseModel):
    """A model that can be asked."""

    provider: str
    model: str
    default: bool = Field(description="What answers where nobody chooses.")


class SessionRoutes:
    """`/v1/session`, `/v1/me`, `/v1/models`."""

    def __init__(self, tokens: Tokens, registry: Registry, default_provider: str, *, guests: bool) -> None:
        self._tokens = tokens
        self._registry = registry
        self._default_provider = default_provider
        self._guests = guests

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
        return Me(id=call.user.id, name=call.user.name)

    async def models(self, call: Call) -> Page[Model]:
        """What can be asked now; a provider that does not answer offers its default model alone, or nothing."""
        items: list[Model] = []
        for name in self._registry.names:
            chosen = self._registry.config(name).default_model
            try:
                offered = await self._registry.get(name).models()
            except ProviderError:
                offered = []
            if chosen is not None and chosen not in offered:
                offered = [chosen, *offered]
            first = chosen or (offered[0] if offered else None)
            by_default = name == self._default_provider
            items += [Model(provider=name, model=m, default=by_default and m == first) for m in offered]
        return Page(items=items, next=None, previous=None)
