"""Conversations as files: out, and in again."""

from server.commands.bring_in import BringIn
from server.domain.conversation import Conversation
from server.domain.errors import Invalid
from server.domain.portable import Portable, markdown
from server.queries.export import Exports
from server.web.operations import Call, Download, Operation

_TAG = "Conversations"
_OUT = "/v1/conversations/{id}/export"
_IN = "/v1/conversations/import"
_MOST = 16 * 1024 * 1024


class PortableRoutes:
    """`/v1/conversations/{id}/export` and `/v1/conversations/import`; the latter before any that takes an id."""

    def __init__(self, exports: Exports, bring_in: BringIn) -> None:
        self._exports = exports
        self._bring_in = bring_in

    def operations(self) -> list[Operation]:
        """The routes, in the order of the documentation."""
        back, out = "Bring in what was exported, as a new one", "All of it as a file, JSON or Markdown"
        return [
            Operation(
                "POST", _IN, back, self.import_conversation, _TAG, Portable, Conversation, 201, most=_MOST
            ),
            Operation("GET", _OUT, out, self.export_conversation, _TAG, None, Portable, query=("format",)),
        ]

    async def import_conversation(self, call: Call) -> Conversation:
        """Bring a conversation in."""
        return await self._bring_in(call.user.id, call.body)

    async def export_conversation(self, call: Call) -> Download:
        """Take a conversation out."""
        form = call.query.get("format") or "json"
        if form not in {"json", "markdown"}:
            raise Invalid("invalid", "format is json or markdown.", field="format")
        document = await self._exports(call.user.id, call.path["id"])
        name, title = call.path["id"], document.title
        if form == "markdown":
            # Whose file it is, is the one whose name is known: names stand in tokens alone.
            text = markdown(document, {call.user.id: call.user.name})
            return Download(text.encode(), "text/markdown; charset=utf-8", name, title, ".md")
        return Download(document.model_dump_json(indent=1).encode(), "application/json", name, title, ".json")
