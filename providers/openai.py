"""The engine for OpenAI's protocol, spoken by OpenAI, LM Studio, llama.cpp and many more.

They differ by configuration alone. The SDK signs, retries and tells the failures of the request; the answer's
body is read raw (see `providers.exchange`).
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import msgspec
import openai
from openai import AsyncStream
from openai.types.chat import ChatCompletion

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
    ToolCallDelta,
    Turn,
    Usage,
)
from providers.errors import SlowToConnect, TimedOut
from providers.exchange import Reading, model_ids
from providers.profiles import prefills, streams
from providers.refusal import ErrorObject, Refusals
from providers.sdk import CONNECTIONS, NO_KEY, Failures, SDKProvider

_OPENAI = "https://api.openai.com/v1"

_STREAM = AsyncStream[object]
_STREAMED = {"stream": True, "stream_options": {"include_usage": True}}

_FAILURES = Failures(openai.APIStatusError, openai.APITimeoutError, openai.OpenAIError)

_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool",
    "function_call": "tool",
    "content_filter": "filter",
}


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Citation(msgspec.Struct):
    url: str | None = None
    title: str | None = None


class _Annotation(msgspec.Struct):
    url_citation: _Citation | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None
    annotations: list[_Annotation] | None = None


class _Choice(msgspec.Struct):
    delta: _Message | None = None
    message: _Message | None = None
    """In an answer that is not streamed, in place of `delta`."""
    finish_reason: str | None = None


class _Read(msgspec.Struct):
    cached_tokens: int | None = None


class _Written(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Read | None = None
    completion_tokens_details: _Written | None = None

    def told(self) -> Usage | None:
        """The same in our words; None where it is no account yet, as in some servers' first chunks."""
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        read, written = self.prompt_tokens_details, self.completion_tokens_details
        cached, reasoning = read and read.cached_tokens, written and written.reasoning_tokens
        return Usage(
            self.prompt_tokens,
            self.completion_tokens,
            exact=True,
            cached=cached or 0,
            reasoning=reasoning or 0,
        )


class _Chunk(msgspec.Struct):
    choices: tuple[_Choice, ...] | None = None
    usage: _Usage | None = None
    error: ErrorObject | str | None = None


_decode = msgspec.json.Decoder(_Chunk).decode


@dataclass(slots=True)
class _Call:
    """A call of a tool, as far as it has come."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])


class ChatReading(Reading):
    """Reads the chunks of a streamed chat completion."""

    def __init__(self, refusals: Refusals) -> None:
        super().__init__()
        self._refusals = refusals
        self._calls: list[_Call] = []
        self._numbered: dict[int, _Call] = {}

    def feed(self, event: bytes) -> list[Delta]:
        """Take one chunk, or the `[DONE]` that follows the last."""
        if event == b"[DONE]":
            self.ended = True
            return []
        return self.take(self._decoded(_decode, event))

    def take(self, chunk: _Chunk) -> list[Delta]:
        """The same, decoded."""
        if chunk.error is not None:
            raise self._refusals.of_event(chunk.error)
        if chunk.usage is not None:
            self.usage = chunk.usage.told() or self.usage
        deltas: list[Delta] = []
        for choice in chunk.choices or ():
            message = choice.delta or _Message()
            # Two names for one thing; a server that sends both sends the same text twice.
            if reasoning := message.reasoning_content or message.reasoning:
                deltas.append(ReasoningDelta(reasoning))
            if message.content:
                deltas.append(TextDelta(message.content))
            for note in message.annotations or ():
                if source := note.url_citation:
                    deltas.append(CitationDelta(source.url or "", source.title or ""))
            for call in message.tool_calls or ():
                self._grow(call)
            if choice.finish_reason:
                self.reason = _REASONS.get(choice.finish_reason, "stop")
                deltas.extend(self._whole_calls())
        self.tokens += len(deltas)
        return deltas

    def _grow(self, piece: _ToolCall) -> None:
        """Add a piece to its call: the first brings id and name, the others more of the arguments."""
        self.tokens += 1
        said = piece.function or _Function()
        call = self._call_of(piece, said.name)
        call.id = call.id or piece.id or ""
        call.name = call.name or said.name or ""
        call.arguments.append(said.arguments or "")

    def _call_of(self, piece: _ToolCall, name: str | None) -> "_Call":
        """By its number; where a server has none, or the same one for all, by what only a call's first piece has."""
        if piece.index is not None:
            call = self._numbered.get(piece.index)
            begins = call is not None and name and piece.id and call.id and piece.id != call.id
        elif piece.id:
            call, begins = next((one for one in self._calls if one.id == piece.id), None), False
        else:
            call, begins = (self._calls[-1] if self._calls else None), name
        if call is None or begins:
            call = _Call()
            self._calls.append(call)
            if piece.index is not None:
                self._numbered[piece.index] = call
        return call

    def _whole_calls(self) -> Iterator[ToolCallDelta]:
        for call in self._calls:
            yield ToolCallDelta(call.id, call.name, "".join(call.arguments))
        self._calls.clear()
        self._numbered.clear()


class CompletionReading(ChatReading):
    """Reads a chat completion that was not streamed."""

    whole = True

    def feed(self, event: bytes) -> list[Delta]:
        """Take the body, as one chunk that has everything."""
        completion = self._decoded(_decode, event)
        for choice in completion.choices or ():
            choice.delta = choice.message or _Message()
            for index, call in enumerate(choice.delta.tool_calls or ()):
                call.index = index  # whole calls are not numbered
        self.ended = True
        return self.take(completion)


class OpenAIProvider(SDKProvider):
    """A server of OpenAI's protocol."""

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config, _FAILURES)
        base_url = config.base_url or _OPENAI
        self._limit_field = limit_field(base_url)
        self._client = openai.AsyncOpenAI(
            api_key=config.api_key or NO_KEY,
            base_url=base_url,
            timeout=self._timeout,
            max_retries=0,  # `converse` tries again, within its budget
            http_client=openai.DefaultAsyncHttpxClient(limits=CONNECTIONS, timeout=self._timeout),
        )

    def reading(self, model: str) -> ChatReading:
        """Read a new answer of a model."""
        kind = ChatReading if streams(self._config, model) else CompletionReading
        return kind(self._refusals)

    async def models(self) -> list[str]:
        """Name the models on offer now."""
        with self._failures_told(TimedOut):
            response = await self._client.get(
                "/models", cast_to=httpx2.Response, options={"timeout": self._config.limits.listing}
            )
        return model_ids(self.name, response.content)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.close()

    @asynccontextmanager
    async def open(self, prompt: Prompt) -> AsyncGenerator[httpx2.Response]:
        """Send a prompt."""
        with self._failures_told(SlowToConnect):
            if not streams(self._config, prompt.model):
                async with self._whole(prompt) as response:
                    yield response.http_response
                return
            # Not by the SDK's `create`, which goes through all arguments type by type, and through each message, which
            # for a long conversation takes longer than everything else here, and holds up all other streams meanwhile.
            body = {**self._body(prompt), "model": prompt.model, **_STREAMED}
            stream = await self._client.post(
                "/chat/completions", cast_to=object, body=body, stream=True, stream_cls=_STREAM
            )
            try:
                yield stream.response
            finally:
                await stream.close()

    def _whole(self, prompt: Prompt) -> AbstractAsyncContextManager[openai.AsyncAPIResponse[ChatCompletion]]:
        create = self._client.chat.completions.with_streaming_response.create
        return create(model=prompt.model, messages=[], stream=False, extra_body=self._body(prompt))

    def _body(self, prompt: Prompt) -> dict[str, object]:
        config = self._config
        turns = turns_to_go_on(prompt, prefill=prefills(config, prompt.model))
        said = {
            "messages": [_message(turn) for turn in turns],
            "temperature": self._temperature(prompt),
            self._limit_field: config.max_tokens if prompt.max_tokens is None else prompt.max_tokens,
            "top_p": prompt.top_p,
            "stop": list(prompt.stop) or None,
            "reasoning_effort": prompt.effort,
            "tools": [_tool(tool) for tool in prompt.tools] or None,
        }
        return {name: value for name, value in said.items() if value is not None}


def limit_field(base_url: str) -> str:
    """Name the field for the maximum: OpenAI's newer models refuse the name that all the others know."""
    own = (httpx2.URL(base_url).host or "").endswith("api.openai.com")
    return "max_completion_tokens" if own else "max_tokens"


def _message(turn: Turn) -> dict[str, Any]:
    if turn.role == "tool":
        return {"role": "tool", "tool_call_id": turn.call_id, "content": turn.text}
    if not turn.calls:
        return {"role": turn.role, "content": turn.text}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in turn.calls
    ]
    return {"role": turn.role, "content": turn.text or None, "tool_calls": calls}


def _tool(tool: Tool) -> dict[str, Any]:
    described = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": described}
