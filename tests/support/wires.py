"""The two protocols as a server writes them, so that one suite can say the same thing over both."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from typing_extensions import override

INPUT_TOKENS = 7
CITED = "https://example.org/owls"
CALLED = ("look", "listen")


class Wire(Protocol):
    """One protocol: which engine speaks it, and the bytes of its events."""

    kind: str
    base_path: str

    def opening(self) -> bytes:
        """Write what stands before the first token."""
        ...

    def text(self, piece: str) -> bytes:
        """Write one piece of the answer."""
        ...

    def keep_alive(self) -> bytes:
        """Write what only says that the server is there."""
        ...

    def closing(self, output_tokens: int) -> bytes:
        """Write the end of an answer that is whole, with its usage."""
        ...

    def whole(self, text: str, output_tokens: int) -> bytes:
        """Write an answer that is not streamed: some thinking, a text, a source and a call of a tool."""
        ...

    def rich(self, text: str) -> list[bytes]:
        """Write the same, streamed, each part of it in two pieces or more."""
        ...

    def error(self, kind: str, message: str) -> bytes:
        """Write an error inside a stream."""
        ...

    def refusal(self, kind: str, message: str) -> bytes:
        """Write the body of a response whose status is an error."""
        ...


def answer(wire: Wire, pieces: Sequence[str]) -> list[bytes]:
    """Write a whole answer, one event or two a step."""
    return [wire.opening(), *map(wire.text, pieces), wire.closing(len(pieces))]


def _event(data: dict[str, Any], *, name: str | None = None) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


@dataclass(frozen=True)
class OpenAIWire(Wire):
    """Chat completions."""

    kind: str = "openai"
    base_path: str = "/v1"

    @override
    def opening(self) -> bytes:
        # Name the role, as a chunk of its own.
        return self._chunk({"role": "assistant", "content": ""})

    @override
    def text(self, piece: str) -> bytes:
        # One chunk.
        return self._chunk({"content": piece})

    @override
    def keep_alive(self) -> bytes:
        # A comment.
        return b": still here\n\n"

    def thinking(self, piece: str) -> bytes:
        """Write one piece of what is thought."""
        return self._chunk({"reasoning_content": piece})

    def citation(self, url: str) -> bytes:
        """Name a source."""
        source = {"url": url, "title": "A source"}
        return self._chunk({"annotations": [{"type": "url_citation", "url_citation": source}]})

    def call(self, identifier: str, name: str, arguments: str, index: int = 0) -> bytes:
        """Write a call of a tool, in two pieces."""
        function = {"name": name, "arguments": arguments[:3]}
        first = {"index": index, "id": identifier, "type": "function", "function": function}
        rest = {"index": index, "function": {"arguments": arguments[3:]}}
        return self._chunk({"tool_calls": [first]}) + self._chunk({"tool_calls": [rest]})

    @override
    def closing(self, output_tokens: int, reason: str = "stop") -> bytes:
        # The reason, the usage, and the mark.
        return self.ending({"prompt_tokens": INPUT_TOKENS, "completion_tokens": output_tokens}, reason)

    def ending(self, usage: dict[str, Any] | None, reason: str = "stop") -> bytes:
        """Write the end with an account of one's own, or with none."""
        account = _event({"choices": [], "usage": usage}) if usage else b""
        return self._chunk({}, reason) + account + b"data: [DONE]\n\n"

    @override
    def whole(self, text: str, output_tokens: int) -> bytes:
        # One choice, whose calls have no index.
        source = {"url": CITED, "title": "A source"}
        message = {
            "content": text,
            "reasoning_content": "Hm.",
            "annotations": [{"type": "url_citation", "url_citation": source}],
            "tool_calls": [
                {"id": name, "type": "function", "function": {"name": name, "arguments": '{"at": 1}'}}
                for name in CALLED
            ],
        }
        usage = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": output_tokens}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        return json.dumps({"id": "c1", "choices": [choice], "usage": usage}).encode()

    @override
    def rich(self, text: str) -> list[bytes]:
        # Calls side by side, told apart by their index.
        calls = [self.call(name, name, '{"at": 1}', index) for index, name in enumerate(CALLED)]
        return [
            self.opening(),
            *map(self.thinking, ("H", "m.")),
            *map(self.text, text),
            self.citation(CITED),
            *calls,
            self.closing(5, "tool_calls"),
        ]

    @override
    def error(self, kind: str, message: str) -> bytes:
        # An object in a chunk's place.
        return b"data: " + self.refusal(kind, message) + b"\n\n"

    @override
    def refusal(self, kind: str, message: str) -> bytes:
        # The object alone.
        return json.dumps({"error": {"type": kind, "code": None, "message": message}}).encode()

    def _chunk(self, delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return _event({"id": "c1", "object": "chat.completion.chunk", "choices": [choice]})


@dataclass(frozen=True)
class AnthropicWire(Wire):
    """Messages."""

    kind: str = "anthropic"
    base_path: str = ""

    @override
    def opening(self) -> bytes:
        # The message and its first block.
        return self.beginning({"input_tokens": INPUT_TOKENS, "output_tokens": 1})

    def beginning(self, usage: dict[str, int]) -> bytes:
        """Write the same with an account of one's own."""
        block = {"type": "text", "text": ""}
        return self._named("message_start", message={"id": "m1", "usage": usage}) + self._named(
            "content_block_start", index=0, content_block=block
        )

    @override
    def text(self, piece: str) -> bytes:
        # One delta of the block.
        return self._named("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})

    @override
    def keep_alive(self) -> bytes:
        # A ping.
        return self._named("ping")

    @override
    def closing(self, output_tokens: int) -> bytes:
        # The block's end, the reason with the usage, and the message's end.
        usage = {"output_tokens": output_tokens}
        return (
            self._named("content_block_stop", index=0)
            + self._named("message_delta", delta={"stop_reason": "end_turn"}, usage=usage)
            + self._named("message_stop")
        )

    @override
    def whole(self, text: str, output_tokens: int) -> bytes:
        # A block for each of it.
        cited = {"type": "web_search_result_location", "url": CITED, "title": "A source", "cited_text": ""}
        content: list[dict[str, Any]] = [
            {"type": "thinking", "thinking": "Hm.", "signature": "s"},
            {"type": "text", "text": text, "citations": [cited]},
            *({"type": "tool_use", "id": name, "name": name, "input": {"at": 1}} for name in CALLED),
        ]
        usage = {"input_tokens": INPUT_TOKENS, "output_tokens": output_tokens}
        message = {"type": "message", "content": content, "stop_reason": "tool_use", "usage": usage}
        return json.dumps(message).encode()

    @override
    def rich(self, text: str) -> list[bytes]:
        # A block for each of it, one after the other.
        cited = {"type": "web_search_result_location", "url": CITED, "title": "A source", "cited_text": ""}
        usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 1}
        events = [self._named("message_start", message={"id": "m1", "usage": usage})]
        thinking = [{"type": "thinking_delta", "thinking": piece} for piece in ("H", "m.")]
        events += self._block(0, {"type": "thinking", "thinking": ""}, thinking)
        pieces = [{"type": "text_delta", "text": piece} for piece in text]
        pieces.append({"type": "citations_delta", "citation": cited})
        events += self._block(1, {"type": "text", "text": ""}, pieces)
        for index, name in enumerate(CALLED, 2):
            block = {"type": "tool_use", "id": name, "name": name, "input": {}}
            parts = [{"type": "input_json_delta", "partial_json": part} for part in ('{"at"', ": 1}")]
            events += self._block(index, block, parts)
        reason = {"stop_reason": "tool_use"}
        events.append(self._named("message_delta", delta=reason, usage={"output_tokens": 5}))
        return [*events, self._named("message_stop")]

    def _block(self, index: int, block: dict[str, Any], deltas: list[dict[str, Any]]) -> list[bytes]:
        return [
            self._named("content_block_start", index=index, content_block=block),
            *(self._named("content_block_delta", index=index, delta=delta) for delta in deltas),
            self._named("content_block_stop", index=index),
        ]

    @override
    def error(self, kind: str, message: str) -> bytes:
        # An event of its own.
        return b"event: error\ndata: " + self.refusal(kind, message) + b"\n\n"

    @override
    def refusal(self, kind: str, message: str) -> bytes:
        # The same object, as a body.
        return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()

    def _named(self, name: str, **fields: Any) -> bytes:
        return _event({"type": name, **fields}, name=name)


WIRES: tuple[Wire, ...] = (OpenAIWire(), AnthropicWire())
