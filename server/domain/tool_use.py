"""What came of the calls of a reply, and the reply that goes on from there: a decision, pure."""

from datetime import datetime

from server.domain.answer import ToolResult
from server.domain.conversation import Conversation
from server.domain.errors import Conflict, Invalid
from server.domain.events import Event, ReplyRequested, ToolResultsGiven
from server.domain.ids import new_id
from server.domain.reply import Reply


def answered(
    state: Conversation, user: str, reply: Reply, results: list[ToolResult], now: datetime
) -> list[Event]:
    """Keep the results, and owe another reply, which reads them. Errors: `Forbidden`, `Conflict`, `Invalid`."""
    state.admit(user)
    if not reply.ended or not reply.tool_calls:
        raise Conflict("no_tool_calls", "This reply waits for nothing.")
    if reply.tool_results:
        raise Conflict("already_given", "The results of this reply's calls are here already.")
    if state.head != reply.id:
        raise Conflict("gone_on", "The conversation has gone on since, or on another branch.")
    called, given = [call.id for call in reply.tool_calls], [result.id for result in results]
    if sorted(called) != sorted(given):
        missing = sorted(set(called) - set(given)) or sorted(set(given) - set(called)) or given
        raise Invalid(
            "invalid", f"Each call has one result, and nothing else has: {missing[0]!r}.", field="results"
        )
    return [
        ToolResultsGiven(conversation=state.id, at=now, reply=reply.id, results=results),
        ReplyRequested(
            conversation=state.id,
            at=now,
            reply=new_id("msg"),
            message=reply.id,
            seq=state.last_seq + 1,
            user=user,
            settings=reply.settings,
        ),
    ]
