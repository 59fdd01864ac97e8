"""Finding messages again."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from server.domain.errors import Conflict
from server.domain.keepable import Moment
from server.domain.message import Role
from server.queries.search import Search
from server.search.contract import MAX_TOTAL, DirectAccess, DirectSearch, Found, SearchQuery
from server.web.operations import Call, Operation

_TAG = "Search"


class SearchParameters(BaseModel):
    """What stands behind the question mark."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field(
        min_length=1,
        max_length=500,
        description='Words, "a phrase", -not; the last word may be unfinished.',
    )
    conversation: str | None = Field(default=None, max_length=64)
    user: str | None = Field(default=None, max_length=128, description="Who wrote it.")
    role: Role | None = None
    since: Moment | None = Field(default=None, alias="from", description="Not older than this.")
    until: Moment | None = Field(default=None, alias="to", description="Older than this.")
    topic: str | None = Field(default=None, max_length=100)
    language: str | None = Field(default=None, max_length=8, description="Of the message, in two letters.")
    order: Literal["score", "time"] = "score"
    limit: int = Field(default=20, ge=1, le=100)
    offset: int = Field(default=0, ge=0, le=MAX_TOTAL)


class SearchRoutes:
    """`/v1/search`, and the way to search without it."""

    def __init__(self, search: Search, direct: DirectSearch | None = None) -> None:
        self._search = search
        self._direct = direct

    def operations(self) -> list[Operation]:
        """The routes, in the order of the documentation."""
        find = Operation(
            "GET", "/v1/search", "Find messages", self.search, _TAG, None, Found, asks=SearchParameters
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
        wanted: SearchParameters = call.asked
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
