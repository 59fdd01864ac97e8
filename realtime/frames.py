"""WebSocket frames (RFC 6455, section 5.2) and the JSON, or MessagePack, inside them.

An event is encoded once, however many sockets it goes to: `text` is the JSON with its offset, `frame` the same as a
ready server-to-client frame. Where a client speaks MessagePack, `packed` is the same object transcoded, once as well,
and only if there is such a client.
"""

from dataclasses import dataclass
from functools import cached_property

import msgspec

_unpack_json = msgspec.json.Decoder().decode
_pack = msgspec.msgpack.Encoder().encode


def text_frame(payload: bytes) -> bytes:
    """One unfragmented, unmasked text frame around `payload` (UTF-8)."""
    return _frame(b"\x81", payload)


def binary_frame(payload: bytes) -> bytes:
    """The same for bytes of any kind."""
    return _frame(b"\x82", payload)


def _frame(head: bytes, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return head + bytes((size,)) + payload
    if size < 65536:
        return head + b"\x7e" + size.to_bytes(2, "big") + payload
    return head + b"\x7f" + size.to_bytes(8, "big") + payload


class _Sent:
    """What all that is sent has: the same in four shapes, each made when it is first asked for, and kept."""

    @cached_property
    def text(self) -> bytes:
        """The JSON that a client gets."""
        raise NotImplementedError

    @cached_property
    def frame(self) -> bytes:
        """The same as a ready WebSocket frame."""
        return text_frame(self.text)

    @cached_property
    def packed(self) -> bytes:
        """The MessagePack that a client gets which speaks it."""
        return _pack(_unpack_json(self.text))

    @cached_property
    def packed_frame(self) -> bytes:
        """The same as a ready WebSocket frame."""
        return binary_frame(self.packed)


@dataclass(frozen=True)
class Event(_Sent):
    """One log entry on its way to sockets; `body` is a JSON object without its offset."""

    topic: str
    offset: int
    body: bytes

    @property
    def first(self) -> int:
        """The first offset that it covers."""
        return self.offset

    @cached_property
    def text(self) -> bytes:
        """The JSON that a client gets."""
        return b'%s,"offset":%d}' % (self.body[:-1], self.offset)


@dataclass(frozen=True)
class Merged(_Sent):
    """Several consecutive entries of one topic in one frame: offsets `first` to `offset`."""

    topic: str
    first: int
    offset: int
    body: bytes
    parts: tuple[Event, ...] = ()
    """What it stands for, where somebody may have had some of it already."""

    @cached_property
    def text(self) -> bytes:
        """The JSON that a client gets, with `from`."""
        return b'%s,"from":%d,"offset":%d}' % (self.body[:-1], self.first, self.offset)


class Answer(_Sent):
    """A frame that is not of any log: an answer, an error, a notice. `text` is its JSON."""

    def __init__(self, text: bytes) -> None:
        self.__dict__["text"] = text


Outgoing = Event | Merged | Answer
