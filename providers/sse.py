"""Server-sent events, split out of a stream of bytes.

(Or the body of a response that is none, whole: `BodyCollector`.)

Lines are split as bytes and joined before anybody decodes them, so it does not matter where the network cut:
through a line, an event, or a character. Only `data` is of interest here, because the protocols of the models
repeat the event's name inside it.
"""

MAX_EVENT = 8 * 1024 * 1024
"""The longest event that is taken, in bytes; no model writes one, a broken server might."""


class EventTooLong(ValueError):
    """An event is longer than the bound, so that it cannot be kept until its end."""


class BodyCollector:
    """In the place of an `EventSplitter` where nothing is streamed: the whole body is the one event."""

    def __init__(self, *, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._body = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes; raises `EventTooLong`."""
        self._body += chunk
        if len(self._body) > self._max_event:
            raise EventTooLong(f"an answer is longer than {self._max_event} bytes")
        return []

    def end(self) -> list[bytes]:
        """There is no more: the body."""
        return [bytes(self._body)]


class EventSplitter:
    """Collects the bytes of one stream and gives the data of each event once it is whole.

    An event that the stream's end left unfinished is never given, as the standard says.
    """

    def __init__(self, *, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._line: list[bytes] = []
        self._line_size = 0
        self._data: list[bytes] = []
        self._data_size = 0
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes, cut anywhere; raises `EventTooLong`."""
        if self._after_cr and chunk:
            # The other half of a CR LF: the CR has ended the line already.
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if not chunk:
            return []
        self._after_cr = chunk.endswith(b"\r")
        lines = chunk.splitlines()
        rest = b"" if chunk.endswith((b"\n", b"\r")) else lines.pop()
        if lines and self._line:
            lines[0] = b"".join((*self._line, lines[0]))
            self._line.clear()
            self._line_size = 0
        events = [event for line in lines if (event := self._end_line(line)) is not None]
        if rest:
            self._line.append(rest)
            self._line_size += len(rest)
        if self._line_size + self._data_size > self._max_event:
            raise EventTooLong(f"an event is longer than {self._max_event} bytes")
        return events

    def end(self) -> list[bytes]:
        """There is no more: what is unfinished never was."""
        return []

    def _end_line(self, line: bytes) -> bytes | None:
        """Take a whole line; an empty one ends the event."""
        if line.startswith(b"data:"):
            value = line[6:] if line.startswith(b"data: ") else line[5:]
            self._data.append(value)
            self._data_size += len(value)
        elif not line and self._data:
            event = b"\n".join(self._data)
            self._data.clear()
            self._data_size = 0
            return event
        return None
