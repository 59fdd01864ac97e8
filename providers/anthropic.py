"""The engine for Anthropic's protocol, the Messages API.

The SDK signs, retries and tells the failures of the request; the answer's body is read raw
(see `providers.exchange`).
"""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from itertools import groupby

import anthropic
import httpx2
import msgspec
from anthropic import AsyncStream, omit
from anthropic.types import MessageParam, RawMessageStreamEvent

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

_ANTHROPIC = "https://api.anthropic.com"

# With no key at all the SDK would look for one in the environment and on the disk.
_NO_KEY = "none"

# The protocol insists on a maximum; this one is taken by every model.
_MAX_TOKENS = 4096

# The protocol insists on a user who speaks first; a conversation that opens with a greeting has none.
_OPENING = "(The conversation begins.)"

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
    id: str = ""
    name: str = ""
    text: str | None = None
    thinking: str | None = None


class _BlockDelta(msgspec.Struct):
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str
    message: _Start | None = None
    content_block: _Block | None = None
    delta: _BlockDelta | None = None
    usage: _Usage | None = None
    error: ErrorObject | str | None = None


_decode = msgspec.json.Decoder(_Event).decode


class MessageReading(Reading):
    """Reads the events of a streamed message. Content blocks follow one another, never interleaved."""

    def __init__(self, refusals: Refusals) -> None:
        super().__init__()
        self._refusals = refusals
        self._block = _Block()
        self._arguments: list[str] = []

    def feed(self, event: bytes) -> Sequence[Delta]:
        """Take one event; kinds that are not known say nothing, as the protocol asks."""
        told = _decode(event)
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
        return ()

    def _end_block(self) -> Sequence[Delta]:
        block, arguments = self._block, "".join(self._arguments) or "{}"
        self._arguments.clear()
        return (ToolCallDelta(block.id, block.name, arguments),) if block.type == "tool_use" else ()

    def _count(self, usage: _Usage) -> None:
        """Take an account; each one is a running total, and may leave out what has not changed."""
        known = self.usage or Usage(0, 0, exact=True)
        read = usage.input_tokens
        if read is not None:
            read += (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        self.usage = Usage(
            input=known.input if read is None else read,
            output=known.output if usage.output_tokens is None else usage.output_tokens,
            exact=True,
        )


class AnthropicProvider:
    """A server of Anthropic's protocol."""

    def __init__(self, config: ProviderConfig) -> None:
        self._config = config
        self._refusals = Refusals(config.name, config.api_key)
        self._client = anthropic.AsyncAnthropic(
            api_key=config.api_key or _NO_KEY,
            base_url=config.base_url or _ANTHROPIC,
            timeout=httpx2.Timeout(config.limits.connect, read=None),
            max_retries=config.limits.retries,
        )

    @property
    def name(self) -> str:
        """The name it was configured under."""
        return self._config.name

    def stream(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """Ask the model; see `Provider.stream`."""
        reading = MessageReading(self._refusals)
        answer = converse(self.name, self._config.limits, self._open(prompt), reading)
        return going_on(answer, prompt.kept, prefill=self._config.prefill) if prompt.kept else answer

    async def models(self) -> list[str]:
        """Name the models on offer now."""
        with self._failures_told():
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
    async def _open(self, prompt: Prompt) -> AsyncGenerator[httpx2.Response]:
        with self._failures_told():
            async with self._request(prompt) as response:
                yield response.http_response

    def _request(
        self, prompt: Prompt
    ) -> AbstractAsyncContextManager[anthropic.AsyncAPIResponse[AsyncStream[RawMessageStreamEvent]]]:
        temperature = self._config.temperature if prompt.temperature is None else prompt.temperature
        max_tokens = self._config.max_tokens if prompt.max_tokens is None else prompt.max_tokens
        turns = turns_to_go_on(prompt, prefill=self._config.prefill)
        return self._client.messages.with_streaming_response.create(
            model=prompt.model,
            system=system_text(turns) or omit,
            messages=alternating(turns),
            max_tokens=_MAX_TOKENS if max_tokens is None else max_tokens,
            stream=True,
            # The SDK has no argument for it, since the newest models take none; the others still do.
            extra_body=None if temperature is None else {"temperature": temperature},
        )

    @contextmanager
    def _failures_told(self) -> Generator[None]:
        """Turn what the SDK raises into this package's errors."""
        try:
            yield
        except anthropic.APIStatusError as error:
            # Without its cause: the SDK's own message quotes the body, which may quote the key.
            response = error.response
            raise self._refusals.of_response(
                response.status_code, response.headers, response.content
            ) from None
        except anthropic.APITimeoutError as error:
            raise TimedOut(f"{self.name} took too long to answer.") from error
        except anthropic.AnthropicError as error:
            raise Unreachable(f"{self.name} cannot be reached.") from error


def system_text(turns: Sequence[Turn]) -> str:
    """Join the system turns, which the protocol wants apart from the conversation."""
    return "\n\n".join(turn.text for turn in turns if turn.role == "system")


def alternating(turns: Sequence[Turn]) -> list[MessageParam]:
    """Lay the conversation out as the protocol wants it: user first, then in turns, none of them empty."""
    spoken = [turn for turn in turns if turn.role != "system" and turn.text.strip()]
    if spoken and spoken[0].role == "assistant":
        spoken.insert(0, Turn("user", _OPENING))
    return [
        _message(by_user, "\n\n".join(turn.text for turn in group))
        for by_user, group in groupby(spoken, key=lambda turn: turn.role == "user")
    ]


def _message(by_user: bool, text: str) -> MessageParam:
    return {"role": "user", "content": text} if by_user else {"role": "assistant", "content": text}
