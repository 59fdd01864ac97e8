"""One message: reading it, another wording, its branch, taking it back, and putting it away."""

from server.commands.branching import Branching
from server.domain.message import Archiving, Edit, Message, Sent
from server.queries.access import Queries
from server.web.operations import Call, Operation

_TAG = "Messages"
_ONE = "/v1/messages/{id}"
_EDIT = "Say it differently: another version, with another reply"
_RETRACT = "Take it back: its place stays, its text is gone"
_ARCHIVE = "Put it away, or take it out again: models do not read it meanwhile, and search does not find it"


class MessageRoutes:
    """`/v1/messages`."""

    def __init__(self, queries: Queries, branching: Branching) -> None:
        self._queries = queries
        self._branching = branching

    def operations(self) -> list[Operation]:
        """The routes, in the order of the documentation."""
        return [
            Operation("GET", _ONE, "One message, on any branch", self.message, _TAG, None, Message),
            Operation("PATCH", _ONE, _EDIT, self.edit, _TAG, Edit, Sent, 202),
            Operation("DELETE", _ONE, _RETRACT, self.retract, _TAG, status=204),
            Operation("POST", f"{_ONE}/archive", _ARCHIVE, self.archive, _TAG, Archiving, Message),
            Operation("POST", f"{_ONE}/choose", "Go on with its branch", self.choose, _TAG, None, Message),
        ]

    async def message(self, call: Call) -> Message:
        """One message."""
        return await self._queries.message(call.user.id, call.path["id"])

    async def edit(self, call: Call) -> Sent:
        """Say a message differently."""
        return await self._branching.edit(call.user.id, call.path["id"], call.body)

    async def retract(self, call: Call) -> None:
        """Take a message back."""
        await self._branching.retract(call.user.id, call.path["id"])

    async def archive(self, call: Call) -> Message:
        """Put a message away, or take it out again."""
        return await self._branching.archive(call.user.id, call.path["id"], call.body.archived)

    async def choose(self, call: Call) -> Message:
        """Go on with the branch of a message."""
        return (await self._branching.choose(call.user.id, call.path["id"]))[0]
