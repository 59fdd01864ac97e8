"""The rules of one client's session, without any I/O: what may be said when, and how often.

    new ── hello ──▶ open ── too many bad frames, or a close ──▶ closed

The connection asks `receive` what to do with each raw frame and does it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from realtime.bucket import Bucket
from realtime.errors import RealtimeError


class CloseCode:
    """Why a socket was closed; the advice that goes with each stands in docs/protocol.md."""

    TOO_BIG = 1009
    RESTARTING = 1012
    TOO_SLOW = 1013
    BAD_FRAMES = 4400
    UNAUTHENTICATED = 4401
    NOT_ALLOWED = 4403
    NO_HELLO = 4408
    TOO_MANY = 4429
    INTERNAL = 4500


class ClientFrame(Protocol):
    """What every frame of a client has."""

    @property
    def type(self) -> str:
        """The kind of frame."""
        ...

    @property
    def id(self) -> str | None:
        """The client's name for this request; its answer carries the same."""
        ...


class Refused(RealtimeError):
    """A request that cannot be done. `close` set: the socket is closed with that code after the answer."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        retry_after: float | None = None,
        frame_id: str | None = None,
        close: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field
        self.retry_after = retry_after
        self.frame_id = frame_id
        self.close = close


@dataclass(frozen=True, slots=True)
class Limits:
    """What one socket may do. Lengths in code points and bytes, times in seconds."""

    text: int = 32_000
    frame: int = 256 * 1024
    subscriptions: int = 100
    sockets: int | None = None
    """Of one user at one instance; None: any number."""
    hello_seconds: float = 10.0
    bad_frames: int = 10
    frames_per_second: float = 50.0
    frames_at_once: float = 200.0
    write_seconds: float = 30.0


class _Named(msgspec.Struct):
    """A frame of which nothing but its name is read."""

    id: str | None = None


_Names = msgspec.json.Decoder[_Named] | msgspec.msgpack.Decoder[_Named]
_TEXT_NAMES, _PACKED_NAMES = msgspec.json.Decoder(_Named), msgspec.msgpack.Decoder(_Named)
_NAME_LENGTH = 64


class Session:
    """`decode` makes a frame of text, or raises `Refused`. `packed`: the client speaks MessagePack."""

    __slots__ = (
        "_bad_in_a_row",
        "_bucket",
        "_decode",
        "_limits",
        "_names",
        "_text",
        "greeted",
        "user",
    )

    def __init__(
        self, decode: Callable[[str], ClientFrame], limits: Limits, now: float, *, packed: bool = False
    ) -> None:
        self._decode = decode
        self._text = _unpacked if packed else _text
        self._names: _Names = _PACKED_NAMES if packed else _TEXT_NAMES
        self._limits = limits
        self._bad_in_a_row = 0
        self._bucket = Bucket(limits.frames_per_second, limits.frames_at_once, now)
        self.user: str | None = None
        self.greeted = False

    def receive(self, raw: str | bytes, now: float) -> ClientFrame:
        """The frame to be handled now. Errors: `Refused`, which is to be answered (and may ask for a close)."""
        try:
            self._count(now)
        except Refused as refusal:
            # Its answer has its name all the same: whoever waits for it would wait for ever.
            refusal.frame_id = _name(raw, self._names)
            raise
        try:
            frame = self._decode(self._text(raw))
        except Refused as refusal:
            self._bad_in_a_row += 1
            if self._bad_in_a_row >= self._limits.bad_frames:
                refusal.close = CloseCode.BAD_FRAMES
            raise
        self._bad_in_a_row = 0
        if not self.greeted and frame.type != "hello":
            raise Refused("hello_required", "The first frame must be a hello.", frame_id=frame.id)
        if self.greeted and frame.type == "hello":
            raise Refused("invalid", "Hello was said already.", field="type", frame_id=frame.id)
        return frame

    def greet(self, user: str) -> None:
        """The hello was good: the session is open and belongs to `user`."""
        self.user = user
        self.greeted = True

    def may_subscribe(self, subscriptions: int) -> None:
        """Check the number of topics that one socket follows. Errors: `Refused`."""
        if subscriptions >= self._limits.subscriptions:
            raise Refused(
                "too_many_subscriptions", f"One socket follows at most {self._limits.subscriptions}."
            )

    def _count(self, now: float) -> None:
        """All frames, good or bad; who does not wait has to go in the end."""
        wait = self._bucket.take(now)
        if wait:
            close = CloseCode.TOO_MANY if self._bucket.is_overdrawn else None
            raise Refused("rate_limited", "Too many frames.", retry_after=wait, close=close)


def _text(raw: str | bytes) -> str:
    if isinstance(raw, bytes):
        raise Refused("bad_frame", "Frames of chat.v1 are text.")
    return raw


def _unpacked(raw: str | bytes) -> str:
    """As JSON: people's frames are few, and one set of rules is enough for them."""
    if isinstance(raw, str):
        raise Refused("bad_frame", "Frames of chat.v1.msgpack are binary.")
    try:
        return msgspec.json.encode(msgspec.msgpack.decode(raw)).decode()
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        raise Refused("bad_frame", "A frame is one MessagePack object, with what JSON can say.") from None


def _name(raw: str | bytes, names: _Names) -> str | None:
    """The `id` of a frame that is not read any further; None where it has no good one."""
    if isinstance(raw, str) != (names is _TEXT_NAMES):
        return None
    try:
        name = names.decode(raw).id  # pyright: ignore[reportArgumentType]: text for JSON, bytes for MessagePack
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return name if name is not None and len(name) <= _NAME_LENGTH else None
