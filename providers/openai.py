"""The engine for OpenAI's protocol, spoken by OpenAI, LM Studio, llama.cpp and many more.

They differ by configuration alone. The SDK signs, retries and tells the failures of the request; the answer's
body is read raw (see `providers.exchange`).
"""

from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

import httpx2
import msgspec
import openai
from openai import AsyncStream, omit
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from providers.config import ProviderConfig
from providers.continuation import going_on, turns_to_go_on
from providers.contract import (
    Delta,
    FinishReason,
    Prompt,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Turn,
    Usage,
)
from providers.errors import TimedOut, Unreachable
from providers.exchange import Reading, converse, model_ids
from providers.refusal import ErrorObject, Refusals

_OPENAI = "https://api.openai.com/v1"

# The SDK insists on a key where a local server asks for none.
_NO_KEY = "none"

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
    index: int = 0
    id: str | None = None
    function: _Function = msgspec.field(default_factory=_Function)


class _Message(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    delta: _Message = msgspec.field(default_factory=_Message)
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Chunk(msgspec.Struct):
    choices: tuple[_Choice, ...] = ()
    usage: _Usage | None = None
    error: ErrorObject | str | None = None


_decode = msgspec.json.Decoder(_Chunk).decode


class ChatReading(Reading):
    """Reads the chunks of a streamed chat completion."""

    def __init__(self, refusals: Refusals) -> None:
        super().__init__()
        self._refusals = refusals
        self._calls: dict[int, _ToolCall] = {}

    def feed(self, event: bytes) -> list[Delta]:
        """Take one chunk, or the `[DONE]` that follows the last."""
        if event == b"[DONE]":
            self.ended = True
            return []
        chunk = _decode(event)
        if chunk.error is not None:
            raise self._refusals.of_event(chunk.error)
        if chunk.usage is not None:
            self.usage = Usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens, exact=True)
        deltas: list[Delta] = []
        for choice in chunk.choices:
            message = choice.delta
            # Two names for one thing; a server that sends both sends the same text twice.
            if reasoning := message.reasoning_content or message.reasoning:
                deltas.append(ReasoningDelta(reasoning))
            if message.content:
                deltas.append(TextDelta(message.content))
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
        call = self._calls.setdefault(piece.index, _ToolCall())
        call.id = call.id or piece.id
        call.function.name = call.function.name or piece.function.name
        call.function.arguments = (call.function.arguments or "") + (piece.function.arguments or "")

    def _whole_calls(self) -> Iterator[ToolCallDelta]:
        for call in self._calls.values():
            yield ToolCallDelta(call.id or "", call.function.name or "", call.function.arguments or "")
        self._calls.clear()


class OpenAIProvider:
    """A server of OpenAI's protocol."""

    def __init__(self, config: ProviderConfig) -> None:
        self._config = config
        self._refusals = Refusals(config.name, config.api_key)
        base_url = config.base_url or _OPENAI
        self._limit_field = limit_field(base_url)
        self._client = openai.AsyncOpenAI(
            api_key=config.api_key or _NO_KEY,
            base_url=base_url,
            timeout=httpx2.Timeout(config.limits.connect, read=None),
            max_retries=config.limits.retries,
        )

    @property
    def name(self) -> str:
        """The name it was configured under."""
        return self._config.name

    def stream(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """Ask the model; see `Provider.stream`."""
        reading = ChatReading(self._refusals)
        answer = converse(self.name, self._config.limits, self._open(prompt), reading)
        return going_on(answer, prompt.kept, prefill=self._config.prefill) if prompt.kept else answer

    async def models(self) -> list[str]:
        """Name the models on offer now."""
        with self._failures_told():
            response = await self._client.get(
                "/models", cast_to=httpx2.Response, options={"timeout": self._config.limits.listing}
            )
        return model_ids(self.name, response.content)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.close()

    @asynccontextmanager
    async def _open(self, prompt: Prompt) -> AsyncGenerator[httpx2.Response]:
        with self._failures_told():
            async with self._request(prompt) as response:
                yield response.http_response

    def _request(
        self, prompt: Prompt
    ) -> AbstractAsyncContextManager[openai.AsyncAPIResponse[AsyncStream[ChatCompletionChunk]]]:
        temperature = self._config.temperature if prompt.temperature is None else prompt.temperature
        max_tokens = self._config.max_tokens if prompt.max_tokens is None else prompt.max_tokens
        turns = turns_to_go_on(prompt, prefill=self._config.prefill)
        # Beside the SDK's own arguments: it goes through each message type by type, which for a long conversation
        # takes longer than everything else here, and holds up all other streams meanwhile.
        body: dict[str, object] = {"messages": [_message(turn) for turn in turns]}
        if max_tokens is not None:
            body[self._limit_field] = max_tokens
        return self._client.chat.completions.with_streaming_response.create(
            model=prompt.model,
            messages=[],
            stream=True,
            stream_options={"include_usage": True},
            temperature=omit if temperature is None else temperature,
            extra_body=body,
        )

    @contextmanager
    def _failures_told(self) -> Generator[None]:
        """Turn what the SDK raises into this package's errors."""
        try:
            yield
        except openai.APIStatusError as error:
            # Without its cause: the SDK's own message quotes the body, which may quote the key.
            response = error.response
            raise self._refusals.of_response(
                response.status_code, response.headers, response.content
            ) from None
        except openai.APITimeoutError as error:
            raise TimedOut(f"{self.name} took too long to answer.") from error
        except openai.OpenAIError as error:
            raise Unreachable(f"{self.name} cannot be reached.") from error


def limit_field(base_url: str) -> str:
    """Name the field for the maximum: OpenAI's newer models refuse the name that all the others know."""
    own = (httpx2.URL(base_url).host or "").endswith("api.openai.com")
    return "max_completion_tokens" if own else "max_tokens"


def _message(turn: Turn) -> ChatCompletionMessageParam:
    match turn.role:
        case "system":
            return {"role": "system", "content": turn.text}
        case "user":
            return {"role": "user", "content": turn.text}
        case "assistant":
            return {"role": "assistant", "content": turn.text}
