"""The contract of a provider: a prompt goes in, a stream of typed deltas comes out.

Whoever consumes a stream may count on this, whatever stands behind it:

- Deltas arrive in the order in which the model produced them; joined, the `TextDelta`s are the answer, or, for a
  prompt that keeps the beginning of one, its rest.
- A stream that ends well yields exactly one `Finish`, as its last delta. A stream that breaks off raises a
  `ProviderError`; there is no third way to end, so an answer that was cut is never taken for a whole one.
- At most one `UsageReport` is given, anywhere before the `Finish`. A provider that tells none gives none.
- Closing the generator (`aclose()`, or cancelling the task that reads it) closes the provider's connection,
  so that the model stops working for nobody.
- Every wait inside has a time limit, and every failure is one of the tree in `providers.errors`.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
Effort: TypeAlias = Literal["low", "medium", "high"]
FinishReason: TypeAlias = Literal["stop", "length", "tool", "filter"]


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that a model may ask to be done: `parameters` is a JSON schema of the arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to have a tool used; `arguments` is JSON as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a prompt. An assistant's may hold calls; each is answered by a turn of the role `tool`."""

    role: Role
    text: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    """Which call a tool's turn answers."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked: the conversation so far and how to answer it.

    `None` leaves a setting to the provider's configuration, and then to the provider itself. `kept` is the answer
    as far as it exists: the stream goes on after it and never repeats it.
    """

    model: str
    turns: tuple[Turn, ...]
    temperature: float | None = None
    max_tokens: int | None = None
    kept: str = ""
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    effort: Effort | None = None
    """How much the model should think before it answers."""
    tools: tuple[Tool, ...] = ()


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """The next piece of what the model thinks before it answers; no part of the answer, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """One whole call of a tool: `arguments` is the JSON text as the model wrote it, assembled."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CitationDelta:
    """A source that the answer names: an address, a title, or the words that were cited; whatever is known."""

    url: str = ""
    title: str = ""
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a prompt and its answer came to, in tokens; `exact` when the provider itself counted.

    `cached` is the part of `input` that the provider had read before, `cache_written` what it keeps for the next
    time, `reasoning` the part of `output` that was thinking.
    """

    input: int
    output: int
    exact: bool
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class UsageReport:
    """The provider's account of the whole stream."""

    usage: Usage


@dataclass(frozen=True, slots=True)
class Finish:
    """The answer is whole; `request_id` is what the provider's own support asks for."""

    reason: FinishReason
    request_id: str | None


Delta: TypeAlias = TextDelta | ReasoningDelta | ToolCallDelta | CitationDelta | UsageReport | Finish


class Provider(Protocol):
    """One place that answers prompts. Safe to use from any number of tasks of one event loop."""

    @property
    def name(self) -> str:
        """The name it was configured under."""
        ...

    def stream(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        """Ask the model; raises `ProviderError` from the iteration, never from the call itself."""
        ...

    async def models(self) -> list[str]:
        """Name the models on offer now; raises `ProviderError`."""
        ...

    async def aclose(self) -> None:
        """Let go of every connection; the provider cannot be used afterwards."""
        ...


def estimate_tokens(text: str) -> int:
    """Guess the tokens of a text from its length, at four characters a token, rounded up.

    Good for a budget and for an account where the provider gave none; say `exact=False` beside it.
    """
    return -(-len(text) // 4)
