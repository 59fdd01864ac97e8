"""Replies: how one is getting on, and stopping it."""

from server.commands.cancel_reply import CancelReply
from server.domain.reply import Reply
from server.queries.access import Queries
from server.web.operations import Call, Operation

_TAG = "Replies"
_ONE = "/v1/replies/{id}"


class ReplyRoutes:
    """`/v1/replies`."""

    def __init__(self, queries: Queries, cancel: CancelReply) -> None:
        self._queries = queries
        self._cancel = cancel

    def operations(self) -> list[Operation]:
        """The routes, in the order of the documentation."""
        return [
            Operation("GET", _ONE, "One reply", self.reply, _TAG, None, Reply),
            Operation("POST", f"{_ONE}/cancel", "Stop it", self.cancel, _TAG, None, Reply, 202),
        ]

    async def reply(self, call: Call) -> Reply:
        """One reply."""
        return await self._queries.reply(call.user.id, call.path["id"])

    async def cancel(self, call: Call) -> Reply:
        """Stop a reply."""
        return await self._cancel(call.user.id, call.path["id"])
