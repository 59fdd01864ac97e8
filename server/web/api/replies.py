"""Replies: how one is getting on, stopping it, and another one instead."""

from pydantic import BaseModel, ConfigDict, Field

from server.commands.branching import Branching
from server.commands.cancel_reply import CancelReply
from server.commands.give_tool_results import GiveToolResults
from server.domain.answer import ToolResult
from server.domain.message import Regeneration, Sent
from server.domain.reply import Reply
from server.queries.access import Queries
from server.web.operations import Call, Operation

_TAG = "Replies"
_ONE = "/v1/replies/{id}"
_ANOTHER = "Another answer to the same message; this one is kept beside it"


class ToolResults(BaseModel):
    """What came of a reply's calls, one result for each."""

    model_config = ConfigDict(extra="forbid")

    results: list[ToolResult] = Field(min_length=1, max_length=64)


class Continued(BaseModel):
    """The reply that goes on from the results."""

    reply: str


class ReplyRoutes:
    """`/v1/replies`."""

    def __init__(
        self, queries: Queries, cancel: CancelReply, branching: Branching, results: GiveToolResults
    ) -> None:
        self._queries = queries
        self._cancel = cancel
        self._branching = branching
        self._results = results

    def operations(self) -> list[Operation]:
        """The routes, in the order of the documentation."""
        results = "What came of its calls; another reply goes on"
        return [
            Operation("GET", _ONE, "One reply", self.reply, _TAG, None, Reply),
            Operation("POST", f"{_ONE}/cancel", "Stop it", self.cancel, _TAG, None, Reply, 202),
            Operation("POST", f"{_ONE}/regenerate", _ANOTHER, self.regenerate, _TAG, Regeneration, Sent, 202),
            Operation(
                "POST", f"{_ONE}/tool-results", results, self.results, _TAG, ToolResults, Continued, 202
            ),
        ]

    async def reply(self, call: Call) -> Reply:
        """One reply."""
        return await self._queries.reply(call.user.id, call.path["id"])

    async def cancel(self, call: Call) -> Reply:
        """Stop a reply."""
        return await self._cancel(call.user.id, call.path["id"])

    async def regenerate(self, call: Call) -> Sent:
        """Ask for another answer."""
        return await self._branching.regenerate(call.user.id, call.path["id"], call.body)

    async def results(self, call: Call) -> Continued:
        """Go on from what the tools gave."""
        return Continued(reply=await self._results(call.user.id, call.path["id"], call.body.results))
