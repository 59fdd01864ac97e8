"""A server that stands before a model's, and hands on what that one answers: as it is, or bent.

For what a real server does not do when it is asked to: to break off, to fall silent, to drip, to write a line of two
megabytes, to cut a character in two. What it hands on is the other's, to the byte; and it sees when it is left.
"""

import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import httpx2
from typing_extensions import override

from tests.support.scripted_server import Answer, Request, ScriptedServer, Step
from tests.support.wires import Wire

Bend: TypeAlias = Callable[[list[bytes]], Sequence[Step]]
"""From the events of a stream to what is sent of them."""

_HANDED_ON = ("authorization", "x-api-key", "content-type", "anthropic-version")
_HEADERS = ("content-type", "x-request-id", "request-id", "retry-after")


class Meddler(ScriptedServer):
    """Asks the server at `behind` for each prompt, reads its whole answer, and gives it on."""

    def __init__(self, behind: str, wire: Wire) -> None:
        super().__init__()
        self._behind = behind.removesuffix(wire.base_path)
        self._wire = wire
        self._bend: Bend = lambda events: events
        self._instead: deque[Answer] = deque()
        self._always: Answer | None = None
        self._sent: Sequence[Step] = ()
        self.said = ""
        """The text of the last answer, as it was before it was bent."""

    @property
    def base_url(self) -> str:
        """Where a provider finds it."""
        return self.url + self._wire.base_path

    def bend(self, how: Bend) -> None:
        """From now on, do this with each answer."""
        self._bend = how

    def instead(self, answer: Answer, times: int | None = None) -> None:
        """Give this and do not ask: so many times, or always."""
        if times is None:
            self._always = answer
        else:
            self._instead.extend([answer] * times)

    @property
    def sent(self) -> str:
        """The text of the last answer, as it was handed on."""
        body = b"".join(step for step in self._sent if isinstance(step, bytes))
        return "".join(map(text_of, body.split(b"\n\n")))

    @override
    async def answering(self, request: Request) -> Answer:
        if self._instead or self._always:
            return self._instead.popleft() if self._instead else self._always or Answer()
        headers = {name: request.headers[name] for name in _HANDED_ON if name in request.headers}
        async with httpx2.AsyncClient(timeout=60, trust_env=False, verify=False) as client:
            url = self._behind + request.path
            if not request.body:
                answer = await client.get(url, headers=headers)
            else:
                answer = await client.post(url, headers=headers, content=request.body)
        told = {name: answer.headers[name] for name in _HEADERS if name in answer.headers}
        if "event-stream" not in told.get("content-type", ""):
            return Answer([answer.content], answer.status_code, told)
        events = [event + b"\n\n" for event in answer.content.split(b"\n\n") if event.strip()]
        self.said = "".join(text_of(event) for event in events)
        self._sent = self._bend(events)
        return Answer(self._sent, answer.status_code, told)


def text_of(event: bytes) -> str:
    """The piece of the answer that an event brings."""
    _, _, place, key = _opened(event)
    return place.get(key) or ""


def with_text(event: bytes, text: str) -> bytes:
    """The event, with another piece; as UTF-8, without escapes."""
    head, told, place, key = _opened(event)
    place[key] = text
    return head + b"data: " + json.dumps(told, ensure_ascii=False).encode() + b"\n\n"


def until_piece(events: list[bytes], pieces: int) -> list[bytes]:
    """The beginning of an answer: up to so many pieces of its text."""
    with_words = [at for at, event in enumerate(events) if text_of(event)]
    assert len(with_words) > pieces, "the answer is too short to be cut there"
    return events[: with_words[pieces - 1] + 1] if pieces else events[: with_words[0]]


def lengthened(more: str) -> Bend:
    """More text at the end of the first piece."""

    def bend(events: list[bytes]) -> Sequence[Step]:
        first = next(at for at, event in enumerate(events) if text_of(event))
        said = text_of(events[first])
        return [*events[:first], with_text(events[first], said + more), *events[first + 1 :]]

    return bend


def _opened(event: bytes) -> tuple[bytes, Any, dict[str, Any], str]:
    """What stands before its data; the data; and where in it a piece of text stands, by either protocol."""
    head, found, data = event.partition(b"data: ")
    if not found or not data.startswith(b"{"):
        return head, None, {}, ""
    told: Any = json.loads(data)
    choices = told.get("choices")
    if choices:
        return head, told, choices[0].get("delta") or {}, "content"
    if told.get("type") == "content_block_delta":
        return head, told, told["delta"], "text"
    return head, told, {}, ""
