"""Finding messages again."""

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from server.domain.errors import Conflict
from server.domain.message import Role
from server.queries.search import Search
from server.search.contract import MAX_TOTAL, DirectAccess, DirectSearch, Found, SearchQuery
from server.web.operations import Call, Operation

_TAG = "Search"
_PARAMETERS = (
    "q",
    "conversation",
    "user",
    "role",
    "from",
    "to",
    "topic",
    "language",
    "order",
    "limit",
    "offset",
)


class SearchParameters(BaseModel):
    """What stands behind the question mark."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field(min_length=1, max_length=500)
    conversation: str | None = Field(default=None, max_length=64)
    user: str | None = Field(default=None, max_length=128)
    role: Role | None = None
    since: datetime | None = Field(default=None, alias="from")
    until: datetime | None = Field(default=None, alias="to")
    topic: str | None = Field(default=None, max_length=100)
    language: str | None = Field(default=None, max_length=8)
    order: Literal["score", "time"] = "score"
    limit: int = Field(default=20, ge=1, le=100)
    offset: int = Field(default=0, ge=0, le=MAX_TOTAL)

    @field_validator("since", "until")
    @classmethod
    def _somewhere(cls, moment: datetime | None) -> datetime | None:
        """A time without a zone is taken for UTC."""
        return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


class SearchRoutes:
    """`/v1/search`, and the way to search without it."""

    def __init__(self, search: Search, direct: DirectSearch | None = None) -> None:
        self._search = search
        self._direct = direct

    def operations(self) -> list[Operation]:
        """The routes, in the order of the documentation."""
        find = Operation(
            "GET", "/v1/search", "Find messages", self.search, _TAG, None, Found, query=_PARAMETERS
        )
        path, summary = "/v1/search/token", "Search Meilisearch by yourself, for ten minutes"
        return [find, Operation("POST", path, summary, self.admit, _TAG, None, DirectAccess, 201)]

    async def admit(self, call: Call) -> DirectAccess:
        """Where and with which token one's own messages are found."""
        if self._direct is None:
            raise Conflict("no_direct_search", "Here one searches through GET /v1/search.")
        return await self._direct.admit(call.user.id)

    async def search(self, call: Call) -> Found:
        """Find messages in one's own conversations."""
        wanted = SearchParameters.model_validate({name: value for name, value in call.query.items() if value})
        query = SearchQuery(
            reader=call.user.id,
            text=wanted.q,
            conversation=wanted.conversation,
            user=wanted.user,
            role=wanted.role,
            since=wanted.since,
            until=wanted.until,
            topic=wanted.topic.casefold() if wanted.topic else None,
            language=wanted.language,
            order=wanted.order,
            limit=wanted.limit,
            offset=wanted.offset,
        )
        return await self._search(call.user.id, query)
