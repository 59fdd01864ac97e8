"""What a connection stands between: the socket of a client, and the program that it is part of."""

from collections.abc import Mapping
from typing import Protocol

from realtime.log.contract import Position, Reading
from realtime.outbox import Merger
from realtime.session import ClientFrame


class SocketClosed(Exception):
    """The client is gone."""


class Socket(Protocol):
    """A WebSocket of whatever server."""

    @property
    def packed(self) -> bool:
        """Whether its client speaks MessagePack, in binary messages, instead of JSON in text messages."""
        ...

    def try_write(self, frame: bytes) -> bool:
        """Write ready frames, whole ones, now; False when that is not possible now (or never, with this server)."""
        ...

    async def send(self, payload: bytes) -> None:
        """Write a message of the client's kind; waits while it does not read. Errors: `SocketClosed`."""
        ...

    async def receive(self) -> str | bytes:
        """The client's next message. Errors: `SocketClosed`."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye. Errors: `SocketClosed`."""
        ...

    def abort(self) -> None:
        """Drop the connection of a client that does not read the goodbye."""
        ...


class Application(Protocol):
    """What a connection asks of the program that it is part of. What is awaited, and `decode`, may raise `Refused`."""

    @property
    def merger(self) -> Merger:
        """Which events may be merged for a slow client."""
        ...

    def decode(self, raw: str) -> ClientFrame:
        """Make a frame of text."""
        ...

    async def greet(self, frame: ClientFrame) -> tuple[str, Mapping[str, object], float]:
        """Check a hello; the user, what the welcome says beside it, and until when it is good (`time.time`)."""
        ...

    async def admit(self, user: str, topic: str) -> None:
        """Check that the user may follow the topic."""
        ...

    def has_company(self, topic: str) -> bool:
        """Whether those who follow the topic are told who else does, and who types."""
        ...

    async def snapshot(self, topic: str, reading: Reading) -> object:
        """The state of a topic as of `reading`, ready for JSON."""
        ...

    async def handle(self, user: str, frame: ClientFrame) -> Mapping[str, object]:
        """Do what any other frame asks; the answer, with its `type`."""
        ...


class SubscribeFrame(ClientFrame, Protocol):
    """A request to follow a topic."""

    @property
    def conversation(self) -> str:
        """The topic."""
        ...

    @property
    def position(self) -> Position | None:
        """Where the client is, if it was there before."""
        ...


class TypingFrame(ClientFrame, Protocol):
    """Somebody types, or has stopped."""

    @property
    def conversation(self) -> str:
        """The topic."""
        ...

    @property
    def on(self) -> bool:
        """Whether it begins or ends."""
        ...
