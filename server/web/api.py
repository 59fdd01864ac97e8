"""The HTTP routes, each a translation of one command or query."""

from pydantic import BaseModel, ConfigDict, Field

from providers.errors import ProviderError
from providers.registry import Registry
from server.commands.cancel_reply import CancelReply
from server.commands.characters import Characters
from server.commands.conversations import Conversations
from server.commands.send_message import SendMessage
from server.domain.character import Character, CharacterChange, NewCharacter
from server.domain.conversation import Conversation, ConversationChange, NewConversation
from server.domain.errors import Forbidden
from server.domain.message import Message, NewMessage, Sent
from server.domain.reply import Reply
from server.queries.access import Queries
from server.storage.pages import Page
from server.web.auth import Tokens, guest
from server.web.operations import Call, Operation


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


class Api:
    """The handlers. Each gets a checked call and returns what its operation declares."""

    def __init__(
        self,
        tokens: Tokens,
        queries: Queries,
        conversations: Conversations,
        characters: Characters,
        send: SendMessage,
        cancel: CancelReply,
        registry: Registry,
        default_provider: str,
        *,
        guests: bool,
    ) -> None:
        self._tokens = tokens
        self._queries = queries
        self._conversations = conversations
        self._characters = characters
        self._send = send
        self._cancel = cancel
        self._registry = registry
        self._default_provider = default_provider
        self._guests = guests

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

    async def list_characters(self, call: Call) -> Page[Character]:
        """One's own characters."""
        return await self._queries.characters(call.user.id, call.cut())

    async def create_character(self, call: Call) -> Character:
        """Make a character."""
        return await self._characters.create(call.user.id, call.body)

    async def character(self, call: Call) -> Character:
        """One character."""
        return await self._queries.character(call.user.id, call.path["id"])

    async def change_character(self, call: Call) -> Character:
        """Change a character."""
        return await self._characters.change(call.user.id, call.path["id"], call.body)

    async def delete_character(self, call: Call) -> None:
        """Forget a character."""
        await self._characters.delete(call.user.id, call.path["id"])

    async def list_conversations(self, call: Call) -> Page[Conversation]:
        """One's own conversations."""
        return await self._queries.conversations(call.user.id, call.cut())

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

    async def send(self, call: Call) -> Sent:
        """Say something."""
        return await self._send(call.user.id, call.path["id"], call.body)

    async def list_messages(self, call: Call) -> Page[Message]:
        """A page of a conversation."""
        return await self._queries.messages(call.user.id, call.path["id"], call.cut())

    async def reply(self, call: Call) -> Reply:
        """One reply."""
        return await self._queries.reply(call.user.id, call.path["id"])

    async def cancel(self, call: Call) -> Reply:
        """Stop a reply."""
        return await self._cancel(call.user.id, call.path["id"])


def operations(api: Api) -> list[Operation]:
    """All routes, in the order of the documentation."""
    return [*_session(api), *_characters(api), *_conversations(api), *_replies(api)]


def _session(api: Api) -> list[Operation]:
    tag = "Session"
    return [
        Operation(
            "POST",
            "/v1/session",
            "Become a guest",
            api.begin_session,
            tag,
            NewSession,
            GuestSession,
            201,
            True,
        ),
        Operation("GET", "/v1/me", "Whose token it is", api.me, tag, None, Me),
        Operation("GET", "/v1/models", "What can be asked now", api.models, tag, None, Page[Model]),
    ]


def _characters(api: Api) -> list[Operation]:
    tag, every, one = "Characters", "/v1/characters", "/v1/characters/{id}"
    return [
        Operation(
            "GET", every, "Your characters", api.list_characters, tag, None, Page[Character], paged=True
        ),
        Operation("POST", every, "Make a character", api.create_character, tag, NewCharacter, Character, 201),
        Operation("GET", one, "One character", api.character, tag, None, Character),
        Operation("PATCH", one, "Change it", api.change_character, tag, CharacterChange, Character),
        Operation("DELETE", one, "Forget it", api.delete_character, tag, status=204),
    ]


def _conversations(api: Api) -> list[Operation]:
    tag, every, one = "Conversations", "/v1/conversations", "/v1/conversations/{id}"
    listing, page = (
        "Your conversations, the latest first",
        "A page, in conversation order; the newest without a cursor",
    )
    conversations, messages = Page[Conversation], Page[Message]
    return [
        Operation("GET", every, listing, api.list_conversations, tag, None, conversations, paged=True),
        Operation(
            "POST", every, "Begin one", api.create_conversation, tag, NewConversation, Conversation, 201
        ),
        Operation("GET", one, "One conversation", api.conversation, tag, None, Conversation),
        Operation("PATCH", one, "Change it", api.change_conversation, tag, ConversationChange, Conversation),
        Operation("DELETE", one, "Delete it", api.delete_conversation, tag, status=204),
        Operation("GET", f"{one}/messages", page, api.list_messages, tag, None, messages, paged=True),
        Operation(
            "POST",
            f"{one}/messages",
            "Say something; stored when it answers",
            api.send,
            tag,
            NewMessage,
            Sent,
            202,
        ),
    ]


def _replies(api: Api) -> list[Operation]:
    tag, one = "Replies", "/v1/replies/{id}"
    return [
        Operation("GET", one, "One reply", api.reply, tag, None, Reply),
        Operation("POST", f"{one}/cancel", "Stop it", api.cancel, tag, None, Reply, 202),
    ]
