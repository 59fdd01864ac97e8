"""WebSocket frames (RFC 6455, section 5.2) and the JSON text inside them.

An event is encoded once, however many sockets it goes to: `Event.text` is the JSON with its offset, `Event.frame` the
same as a ready server-to-client frame.
"""

from dataclasses import dataclass
from functools import cached_property


def text_frame(payload: bytes) -> bytes:
    """One unfragmented, unmasked text frame around `payload` (UTF-8)."""
    size = len(payload)
    if size < 126:
        return b"\x81" + bytes((size,)) + payload
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


@dataclass(frozen=True)
class Event:
    """One log entry on its way to sockets; `body` is a JSON object without its offset."""

    topic: str
    offset: int
    body: bytes

    @cached_property
    def text(self) -> bytes:
        """The JSON that a client gets."""
        return b'%s,"offset":%d}' % (self.body[:-1], self.offset)

    @cached_property
    def frame(self) -> bytes:
        """The same as a ready WebSocket frame."""
        return text_frame(self.text)


@dataclass(frozen=True)
class Merged:
    """Several consecutive entries of one topic in one frame: offsets `first` to `offset`."""

    topic: str
    first: int
    offset: int
    body: bytes

    @cached_property
    def text(self) -> bytes:
        """The JSON that a client gets, with `from`."""
        return b'%s,"from":%d,"offset":%d}' % (self.body[:-1], self.first, self.offset)

    @cached_property
    def frame(self) -> bytes:
        """The same as a ready WebSocket frame."""
        return text_frame(self.text)


@dataclass(frozen=True)
class Answer:
    """A frame that is not of any log: an answer, an error, a notice."""

    text: bytes

    @cached_property
    def frame(self) -> bytes:
        """The same as a ready WebSocket frame."""
        return text_frame(self.text)


Outgoing = Event | Merged | Answer
