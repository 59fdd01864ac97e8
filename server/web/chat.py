"""What the chat answers to the realtime layer: the application behind every socket and every event stream."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict

from realtime.log.contract import Reading
from realtime.outbox import Merger
from realtime.session import ClientFrame, CloseCode, Limits, Refused
from server.commands.branching import Branching
from server.commands.cancel_reply import CancelReply
from server.commands.send_message import SendMessage
from server.domain.errors import ChatError, Forbidden, Invalid
from server.domain.ids import new_id
from server.domain.listed import owner_of
from server.domain.message import Edit, NewMessage, Regeneration
from server.domain.wire import DeltaMerger
from server.queries.access import Queries
from server.queries.snapshot import Snapshots
from server.storage.cause import caused_by
from server.web import frames
from server.web.auth import Tokens, User
from server.web.problems import refusal_of

HEARTBEAT_SECONDS = 25


class Chat:
    """Translates frames to commands and queries, and their results to answers. Shared by all sockets."""

    def __init__(
        self,
        tokens: Tokens,
        queries: Queries,
        snapshots: Snapshots,
        send: SendMessage,
        cancel: CancelReply,
        branching: Branching,
        limits: Limits,
    ) -> None:
        self._tokens = tokens
        self._queries = queries
        self._snapshots = snapshots
        self._send = send
        self._cancel = cancel
        self._branching = branching
        self.limits = limits
        self._merger = DeltaMerger()
        self._present: Counter[str] = Counter()

    @property
    def merger(self) -> Merger:
        """Which events may be merged."""
        return self._merger

    def enter(self, user: str) -> bool:
        """Count one more socket, or event stream, of a user; False when there are enough of them."""
        if self.limits.sockets is not None and self._present[user] >= self.limits.sockets:
            return False
        self._present[user] += 1
        return True

    def leave(self, user: str) -> None:
        """One of them has gone."""
        self._present[user] -= 1
        if not self._present[user]:
            del self._present[user]

    def decode(self, raw: str) -> ClientFrame:
        """Make a frame of text."""
        return frames.decode(raw)

    async def greet(self, token: str | None) -> tuple[User, Mapping[str, object]]:
        """Check a token; the user, and what the welcome says."""
        try:
            user = await self._tokens.check(token)
        except ChatError as error:
            raise refusal_of(error) from error
        limits = asdict(self.limits)
        told = {name: limits[name] for name in _TOLD if limits[name] is not None}
        return user, {
            "session": new_id("ses"),
            "user": user.id,
            "heartbeat": HEARTBEAT_SECONDS,
            "limits": told,
        }

    async def admit(self, user: str, topic: str) -> None:
        """Check that the user takes part in the conversation, or that it is the user's own list."""
        try:
            owner = owner_of(topic)
            if owner is not None:
                if owner != user:
                    raise Forbidden("forbidden", "This list is somebody else's.")
                return
            await self._queries.admit(user, topic)
        except ChatError as error:
            raise refusal_of(error) from error

    def has_company(self, topic: str) -> bool:
        """A conversation has; one's own list is nobody else's."""
        return owner_of(topic) is None

    async def snapshot(self, topic: str, reading: Reading) -> object:
        """The conversation's last messages and replies in flight; of a list, its first page."""
        try:
            owner = owner_of(topic)
            if owner is not None:
                return await self._snapshots.of_list(owner)
            return await self._snapshots(topic, reading)
        except ChatError as error:
            raise refusal_of(error) from error

    async def handle(self, user: str, frame: ClientFrame) -> Mapping[str, object]:
        """Do what a frame asks."""
        try:
            with caused_by(frame.id or new_id("req")):
                return await self._answer(user, frame)
        except Exception as error:
            # The boundary of a frame: a bug of ours is answered as `internal`, and the socket lives on.
            raise refusal_of(error) from error

    async def _answer(self, user: str, frame: ClientFrame) -> Mapping[str, object]:
        match frame:
            case frames.Send():
                new = NewMessage(text=frame.text, key=frame.key, reply=frame.reply)
                sent = await self._send(user, frame.conversation, new)
                return {"type": "accepted", **sent.model_dump()}
            case frames.Cancel():
                reply = await self._cancel(user, frame.reply)
                return {"type": "cancelling", "reply": reply.id, "status": reply.status}
            case frames.Regenerate():
                wanted = Regeneration(key=frame.key, settings=frame.settings)
                sent = await self._branching.regenerate(user, frame.reply, wanted)
                return {"type": "accepted", **sent.model_dump()}
            case frames.EditMessage():
                edit = Edit(text=frame.text, key=frame.key, reply=frame.reply)
                sent = await self._branching.edit(user, frame.message, edit)
                return {"type": "accepted", **sent.model_dump()}
            case frames.Choose():
                message, head = await self._branching.choose(user, frame.message)
                return {"type": "chosen", "message": message.id, "head": head}
            case frames.Retract():
                message = await self._branching.retract(user, frame.message)
                return {"type": "retracted", "message": message.id}
            case frames.Archive():
                message = await self._branching.archive(user, frame.message, frame.archived)
                return {"type": "archived", "message": message.id, "archived": message.archived}
            case _:
                raise Invalid("unknown_type", f"{frame.type} is not served here.", field="type")


class Visit:
    """One socket's view of the chat: the token of its handshake stands in for one in its hello."""

    def __init__(self, chat: Chat, handshake_token: str | None) -> None:
        self._chat = chat
        self._handshake_token = handshake_token
        self._user: str | None = None
        self.merger = chat.merger
        self.decode = chat.decode
        self.admit = chat.admit
        self.has_company = chat.has_company
        self.snapshot = chat.snapshot
        self.handle = chat.handle

    async def greet(self, frame: ClientFrame) -> tuple[str, Mapping[str, object], float]:
        """Check a hello."""
        token = frame.token if isinstance(frame, frames.Hello) else None
        user, welcome = await self._chat.greet(token or self._handshake_token)
        if not self._chat.enter(user.id):
            most = self._chat.limits.sockets
            detail = f"One user has at most {most} sockets here."
            raise Refused("too_many_sockets", detail, retry_after=30.0, close=CloseCode.TOO_MANY)
        self._user = user.id
        return user.id, welcome, user.until

    def leave(self) -> None:
        """The socket is gone."""
        if self._user is not None:
            self._chat.leave(self._user)


_TOLD = ("text", "frame", "subscriptions", "sockets")
