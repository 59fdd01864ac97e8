"""The engine for Anthropic's protocol, the Messages API.

The SDK signs, retries and tells the failures of the request; the answer's body is read raw
(see `providers.exchange`).
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import groupby
from typing import Any, cast

import anthropic
import httpx2
import msgspec
from anthropic import AsyncStream, omit
from anthropic.types import Message, MessageParam, RawMessageStreamEvent

from providers.config import ProviderConfig
from providers.continuation import turns_to_go_on
from providers.contract import (
    CitationDelta,
    Delta,
    FinishReason,
    Prompt,
    ReasoningDelta,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
    Turn,
    Usage,
)
from providers.errors import SlowToConnect, TimedOut
from providers.exchange import Reading, model_ids
from providers.profiles import prefills, streams
from providers.refusal import ErrorObject, Refusals
from providers.sdk import CONNECTIONS, NO_KEY, Failures, SDKProvider

_ANTHROPIC = "https://api.anthropic.com"

# The protocol insists on a maximum; this one is taken by every model.
_MAX_TOKENS = 4096

# The protocol insists on a user who speaks first; a conversation that opens with a greeting has none.
_OPENING = "(The conversation begins.)"

_FAILURES = Failures(anthropic.APIStatusError, anthropic.APITimeoutError, anthropic.AnthropicError)

_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool",
    "refusal": "filter",
}


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None


class _Start(msgspec.Struct):
    usage: _Usage | None = None


class _Block(msgspec.Struct):
    type: str = ""
    id: str | None = None
    name: str | None = None
    text: str | None = None
    thinking: str | None = None


class _Citation(msgspec.Struct):
    url: str | None = None
    title: str | None = None
    document_title: str | None = None
    cited_text: str | None = None


class _BlockDelta(msgspec.Struct):
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    citation: _Citation | None = None
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str
    message: _Start | None = None
    content_block: _Block | None = None
    delta: _BlockDelta | None = None
    usage: _Usage | None = None
    error: ErrorObject | str | None = None


class _WholeBlock(_Block):
    citations: list[_Citation] | None = None
    input: dict[str, Any] | None = None


class _Message(msgspec.Struct):
    content: tuple[_WholeBlock, ...] | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None
    error: ErrorObject | str | None = None


_decode = msgspec.json.Decoder(_Event).decode
_decode_message = msgspec.json.Decoder(_Message).decode


class MessageReading(Reading):
    """Reads the events of a streamed message. Content blocks follow one another, never interleaved."""

    def __init__(self, refusals: Refusals) -> None:
        super().__init__()
        self._refusals = refusals
        self._block = _Block()
        self._arguments: list[str] = []
        self._read: int | None = None
        self._output: int | None = None
        self._cached = self._written = 0

    def feed(self, event: bytes) -> Sequence[Delta]:
        """Take one event; kinds that are not known say nothing, as the protocol asks."""
        told = self._decoded(_decode, event)
        match told.type:
            case "content_block_delta" if told.delta:
                return self._grow(told.delta)
            case "content_block_start" if told.content_block:
                self._block = told.content_block
                return self._grow(_BlockDelta(told.content_block.text, told.content_block.thinking))
            case "content_block_stop":
                return self._end_block()
            case "message_start" if told.message and told.message.usage:
                self._count(told.message.usage)
            case "message_delta":
                if told.usage:
                    self._count(told.usage)
                if told.delta and told.delta.stop_reason:
                    self.reason = _REASONS.get(told.delta.stop_reason, "stop")
            case "message_stop":
                self.ended = True
            case "error":
                raise self._refusals.of_event(told.error or "")
            case _:
                pass
        return ()

    def _grow(self, delta: _BlockDelta) -> Sequence[Delta]:
        if delta.text:
            self.tokens += 1
            return (TextDelta(delta.text),)
        if delta.thinking:
            self.tokens += 1
            return (ReasoningDelta(delta.thinking),)
        if delta.partial_json:
            self.tokens += 1
            self._arguments.append(delta.partial_json)
        if source := delta.citation:
            title = source.title or source.document_title or ""
            return (CitationDelta(source.url or "", title, source.cited_text or ""),)
        return ()

    def _end_block(self) -> Sequence[Delta]:
        block, arguments = self._block, "".join(self._arguments) or "{}"
        self._arguments.clear()
        if block.type != "tool_use":
            return ()
        return (ToolCallDelta(block.id or "", block.name or "", arguments),)

    def _count(self, usage: _Usage) -> None:
        """Take an account; each one is a running total, and may leave out what has not changed."""
        if usage.input_tokens is not None:
            self._cached = usage.cache_read_input_tokens or 0
            self._written = usage.cache_creation_input_tokens or 0
            self._read = usage.input_tokens + self._cached + self._written
        if usage.output_tokens is not None:
            self._output = usage.output_tokens
        if self._read is not None and self._output is not None:
            self.usage = Usage(
                self._read, self._output, exact=True, cached=self._cached, cache_written=self._written
            )


class WholeMessageReading(MessageReading):
    """Reads a message that was not streamed."""

    whole = True

    def feed(self, event: bytes) -> Sequence[Delta]:
        """Take the body."""
        message = self._decoded(_decode_message, event)
        if message.error is not None:
            raise self._refusals.of_event(message.error)
        if message.usage:
            self._count(message.usage)
        if message.stop_reason:
            self.reason = _REASONS.get(message.stop_reason, "stop")
        self.ended = True
        deltas: list[Delta] = []
        for block in message.content or ():
            deltas += self._of_block(block)
        return deltas

    def _of_block(self, block: _WholeBlock) -> Iterator[Delta]:
        yield from self._grow(_BlockDelta(block.text, block.thinking))
        for citation in block.citations or ():
            yield from self._grow(_BlockDelta(citation=citation))
        if block.type == "tool_use":
            self.tokens += 1
            arguments = msgspec.json.encode(block.input or {}).decode()
            yield ToolCallDelta(block.id or "", block.name or "", arguments)


class AnthropicProvider(SDKProvider):
    """A server of Anthropic's protocol."""

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config, _FAILURES)
        self._client = anthropic.AsyncAnthropic(
            api_key=config.api_key or NO_KEY,
            base_url=config.base_url or _ANTHROPIC,
            timeout=self._timeout,
            max_retries=0,  # `converse` tries again, within its budget
            http_client=anthropic.DefaultAsyncHttpxClient(limits=CONNECTIONS, timeout=self._timeout),
        )

    def reading(self, model: str) -> Reading:
        """Read a new answer of a model."""
        kind = MessageReading if streams(self._config, model) else WholeMessageReading
        return kind(self._refusals)

    async def models(self) -> list[str]:
        """Name the models on offer now."""
        with self._failures_told(TimedOut):
            response = await self._client.get(
                "/v1/models",
                cast_to=httpx2.Response,
                options={"params": {"limit": 1000}, "timeout": self._config.limits.listing},
            )
        return model_ids(self.name, response.content)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.close()

    @asynccontextmanager
    async def open(self, prompt: Prompt) -> AsyncGenerator[httpx2.Response]:
        """Send a prompt."""
        with self._failures_told(SlowToConnect):
            async with self._request(prompt) as response:
                yield response.http_response

    def _request(
        self, prompt: Prompt
    ) -> AbstractAsyncContextManager[
        anthropic.AsyncAPIResponse[Message | AsyncStream[RawMessageStreamEvent]]
    ]:
        config = self._config
        turns = turns_to_go_on(prompt, prefill=prefills(config, prompt.model))
        max_tokens = config.max_tokens if prompt.max_tokens is None else prompt.max_tokens
        said = {
            # The SDK has no arguments for these, since the newest models take none; the others still do.
            "temperature": self._temperature(prompt),
            "top_p": prompt.top_p,
            "stop_sequences": list(prompt.stop) or None,
            "tools": [_tool(tool) for tool in prompt.tools] or None,
        }
        return self._client.messages.with_streaming_response.create(
            model=prompt.model,
            system=system_text(turns) or omit,
            messages=cast("list[MessageParam]", alternating(turns)),
            max_tokens=_MAX_TOKENS if max_tokens is None else max_tokens,
            stream=streams(config, prompt.model),
            extra_body={name: value for name, value in said.items() if value is not None},
        )


def system_text(turns: Sequence[Turn]) -> str:
    """Join the system turns, which the protocol wants apart from the conversation."""
    return "\n\n".join(turn.text for turn in turns if turn.role == "system")


def alternating(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Lay the conversation out as the protocol wants it: user first, then in turns, none of them empty.

    What a tool gave is said by the user.
    """
    spoken = [
        turn for turn in turns if turn.role != "system" and (turn.text.strip() or turn.calls or turn.call_id)
    ]
    if spoken and spoken[0].role == "assistant":
        spoken.insert(0, Turn("user", _OPENING))
    return [
        {"role": "assistant" if by_model else "user", "content": _content(list(group))}
        for by_model, group in groupby(spoken, key=lambda turn: turn.role == "assistant")
    ]


def _content(turns: Sequence[Turn]) -> str | list[dict[str, Any]]:
    if not any(turn.calls or turn.call_id for turn in turns):
        return "\n\n".join(turn.text for turn in turns)
    blocks: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role == "tool":
            blocks.append({"type": "tool_result", "tool_use_id": turn.call_id, "content": turn.text})
            continue
        if turn.text.strip():
            blocks.append({"type": "text", "text": turn.text})
        blocks += [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_of(call)}
            for call in turn.calls
        ]
    return blocks


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """The arguments as the protocol wants them back: an object, whatever the model wrote."""
    try:
        return msgspec.json.decode(call.arguments, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _tool(tool: Tool) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
