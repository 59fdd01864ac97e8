"""What has happened in a conversation."""

from server.domain.audit import AuditEntry
from server.queries.audit import Audit
from server.storage.pages import Page
from server.web.operations import Call, Operation

_EVENTS = "What has happened in it, from the beginning; who did it, and on whose request"


class AuditRoutes:
    """`/v1/conversations/{id}/audit`."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    def operations(self) -> list[Operation]:
        """The routes, in the order of the documentation."""
        page = Page[AuditEntry]
        path = "/v1/conversations/{id}/audit"
        return [Operation("GET", path, _EVENTS, self.audit, "Conversations", None, page, paged=True)]

    async def audit(self, call: Call) -> Page[AuditEntry]:
        """A page of its events."""
        return await self._audit(call.user.id, call.path["id"], call.cut())
