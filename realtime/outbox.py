"""What waits for one client: bounded, in order, and smaller the longer it waits.

Nothing here awaits: the socket's writer takes from it when the client can read again. While a client is slow,
consecutive deltas of one text merge into one frame. Past the bound, what waits for a topic is dropped as a whole
and the topic is *lapsed*: the session owes its client a fresh snapshot. Answers are never dropped: who lets too many
bytes of them wait is not asked for more frames.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from realtime.frames import Answer, Event, Merged, Outgoing


class Merger(Protocol):
    """Knows which bodies may become one. What a body says is none of realtime's business."""

    def key(self, body: bytes) -> str | None:
        """Bodies with the same key that follow one another may be merged; None for never."""
        ...

    def merge(self, bodies: Sequence[bytes]) -> bytes:
        """One body that stands for all of them."""
        ...


@dataclass(slots=True)
class _Waiting:
    """Consecutive events of one topic that will leave as one frame; `key` None: just one event."""

    key: str | None
    events: list[Event | Merged] = field(default_factory=list[Event | Merged])
    dropped: bool = False


class Outbox:
    """Bounded by `max_bytes` of bodies that wait; answers are counted apart.

    Of an idle client it holds next to nothing: an empty queue alone would be half a kibibyte.
    """

    __slots__ = ("_last", "_max_bytes", "_merger", "_queue", "answer_bytes", "lapsed", "waiting_bytes")

    def __init__(self, merger: Merger, max_bytes: int = 256 * 1024) -> None:
        self._merger = merger
        self._max_bytes = max_bytes
        self._queue: deque[_Waiting | Answer] | None = None
        self._last: dict[str, _Waiting] = {}
        self.waiting_bytes = 0
        """Bytes of event bodies that wait."""
        self.answer_bytes = 0
        """Bytes of answers that wait."""
        self.lapsed: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self._queue)

    def put(self, item: Outgoing) -> None:
        """Append an item; may merge it, or lapse its topic."""
        if isinstance(item, Answer):
            self._append(item)
            self.answer_bytes += len(item.text)
            return
        if item.topic in self.lapsed:
            return
        self.waiting_bytes += len(item.body)
        if self.waiting_bytes > self._max_bytes:
            self._lapse_largest(item)
            if item.topic in self.lapsed:
                return
        key = self._merger.key(item.body)
        last = self._last.get(item.topic)
        if (
            key is not None
            and last is not None
            and last.key == key
            and last.events[-1].offset + 1 == item.first
        ):
            last.events.append(item)
            return
        waiting = _Waiting(key, [item])
        self._last[item.topic] = waiting
        self._append(waiting)

    def take(self) -> Outgoing | None:
        """The next frame, merged as far as possible; None when nothing waits."""
        while self._queue:
            head = self._queue.popleft()
            if isinstance(head, Answer):
                self.answer_bytes -= len(head.text)
                return head
            if head.dropped:
                continue
            topic = head.events[0].topic
            if self._last.get(topic) is head:
                del self._last[topic]
            self.waiting_bytes -= sum(len(event.body) for event in head.events)
            return self._merged(head.events)
        return None

    def forget(self, topic: str) -> None:
        """Drop what waits for a topic (it was unsubscribed, or a snapshot replaces it)."""
        self.lapsed -= {topic}
        self._last.pop(topic, None)
        for waiting in self._queue or ():
            if isinstance(waiting, _Waiting) and not waiting.dropped and waiting.events[0].topic == topic:
                self.waiting_bytes -= sum(len(event.body) for event in waiting.events)
                waiting.dropped = True
                waiting.events = []

    def _append(self, item: _Waiting | Answer) -> None:
        if self._queue is None:
            self._queue = deque()
        self._queue.append(item)

    def _lapse_largest(self, incoming: Event | Merged) -> None:
        sizes: dict[str, int] = {incoming.topic: len(incoming.body)}
        for waiting in self._queue or ():
            if isinstance(waiting, _Waiting):
                for event in waiting.events:
                    sizes[event.topic] = sizes.get(event.topic, 0) + len(event.body)
        largest = max(sizes, key=lambda topic: sizes[topic])
        if largest == incoming.topic:
            self.waiting_bytes -= len(incoming.body)
        self.forget(largest)
        self.lapsed |= {largest}

    def _merged(self, events: list[Event | Merged]) -> Outgoing:
        if len(events) == 1:
            return events[0]
        body = self._merger.merge([event.body for event in events])
        return Merged(events[0].topic, events[0].first, events[-1].offset, body)
