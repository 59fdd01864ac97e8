"""Conversations and what is said in them."""

from server.commands.conversations import Conversations
from server.commands.place import MovePlace
from server.commands.send_message import SendMessage
from server.domain.conversation import Conversation, ConversationChange, NewConversation
from server.domain.errors import Invalid
from server.domain.listed import Listed, Place
from server.domain.message import Message, NewMessage, Sent
from server.queries.access import Queries
from server.storage.pages import Page
from server.web.operations import Call, Operation

_TAG = "Conversations"
_EVERY = "/v1/conversations"
_ONE = "/v1/conversations/{id}"
_ME = "/v1/conversations/{id}/members/me"
_PLACE = "/v1/conversations/{id}/place"
_MESSAGES = "/v1/conversations/{id}/messages"
_LATEST = "Your conversations, the latest first"
_PAGE = "A page, in conversation order; the newest without a cursor"
_SAY = "Say something; stored when it answers"


class ConversationRoutes:
    """`/v1/conversations` and `/v1/conversations/{id}/messages`."""

    def __init__(
        self, queries: Queries, conversations: Conversations, send: SendMessage, move: MovePlace
    ) -> None:
        self._queries = queries
        self._conversations = conversations
        self._send = send
        self._move = move

    def operations(self) -> list[Operation]:
        """The routes, in the order of the documentation."""
        one, new, change = Conversation, NewConversation, ConversationChange
        return [
            Operation(
                "GET",
                _EVERY,
                _LATEST,
                self.list_conversations,
                _TAG,
                None,
                Page[Listed],
                paged=True,
                query=("archived", "pinned"),
            ),
            Operation("POST", _EVERY, "Begin one", self.create_conversation, _TAG, new, one, 201),
            Operation("GET", _ONE, "One conversation", self.conversation, _TAG, None, one),
            Operation("PATCH", _ONE, "Change it", self.change_conversation, _TAG, change, one),
            Operation("PUT", _PLACE, "Say what you have read, or pin it", self.move, _TAG, Place, Listed),
            Operation("DELETE", _ONE, "Delete it", self.delete_conversation, _TAG, status=204),
            Operation("DELETE", _ME, "Leave it", self.leave_conversation, _TAG, status=204),
            Operation(
                "GET",
                _MESSAGES,
                _PAGE,
                self.list_messages,
                _TAG,
                None,
                Page[Message],
                paged=True,
                query=("around",),
            ),
            Operation("POST", _MESSAGES, _SAY, self.send, _TAG, NewMessage, Sent, 202),
        ]

    async def list_conversations(self, call: Call) -> Page[Listed]:
        """One's own conversations."""
        archived, pinned = call.flag("archived"), call.flag("pinned")
        return await self._queries.conversations(
            call.user.id, call.cut(), archived=archived or False, pinned=pinned
        )

    async def create_conversation(self, call: Call) -> Conversation:
        """Begin a conversation."""
        return await self._conversations.create(call.user.id, call.body)

    async def conversation(self, call: Call) -> Conversation:
        """One conversation."""
        return await self._queries.conversation(call.user.id, call.path["id"])

    async def change_conversation(self, call: Call) -> Conversation:
        """Rename a conversation, or change how it is conducted."""
        return await self._conversations.change(call.user.id, call.path["id"], call.body)

    async def delete_conversation(self, call: Call) -> None:
        """Delete a conversation."""
        await self._conversations.delete(call.user.id, call.path["id"])

    async def leave_conversation(self, call: Call) -> None:
        """Take part in a conversation no longer."""
        await self._conversations.leave(call.user.id, call.path["id"])

    async def move(self, call: Call) -> Listed:
        """Say what one has read, or pin it."""
        return await self._move(call.user.id, call.path["id"], call.body)

    async def list_messages(self, call: Call) -> Page[Message]:
        """A page of a conversation."""
        cut, around = call.cut(), call.query.get("around")
        if around and (cut.before or cut.after):
            raise Invalid("invalid", "Give around or a cursor, not both.", field="around")
        if around:
            return await self._queries.around(call.user.id, call.path["id"], around, cut.limit)
        return await self._queries.messages(call.user.id, call.path["id"], cut)

    async def send(self, call: Call) -> Sent:
        """Say something."""
        return await self._send(call.user.id, call.path["id"], call.body)
