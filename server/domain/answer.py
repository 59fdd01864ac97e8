"""What there is of an answer beside its text: who wrote which part of it, what it cost, how long it
took, and what came with it.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Usage(BaseModel):
    """Tokens; `exact` when the provider counted them."""

    model_config = ConfigDict(frozen=True)

    input: int
    output: int
    exact: bool
    cached: int = Field(default=0, description="Of the input: what the provider had read before.")
    reasoning: int = Field(default=0, description="Of the output: what was thought.")


class Timing(BaseModel):
    """Milliseconds: accepted to started, started to the first token, accepted to the end."""

    model_config = ConfigDict(frozen=True)

    queued_ms: int
    first_token_ms: int | None
    total_ms: int


class Span(BaseModel):
    """A range of the text, in code points, and where it came from."""

    model_config = ConfigDict(frozen=True)

    provider: str
    model: str
    attempt: int = Field(description="Of the reply: which worker's.")
    start: int
    end: int
    outcome: str = Field(description="`completed`, `cancelled`, or the code of what broke it off.")
    usage: Usage | None = None
    cost: float | None = Field(default=None, description="In US dollars; null where no price is known.")
    first_token_ms: int | None = Field(default=None, description="From the question to this provider.")
    request_id: str | None = Field(
        default=None, description="Under which the provider's support finds the request."
    )


class ToolCall(BaseModel):
    """A model's wish to have a tool used."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    arguments: str = Field(description="JSON, as the model wrote it.")


class ToolResult(BaseModel):
    """What came of a call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1, max_length=256, description="The call's.")
    output: str = Field(max_length=200_000, description="What the tool gave, for the model to read.")


class Citation(BaseModel):
    """A source that the model named."""

    model_config = ConfigDict(frozen=True)

    url: str = ""
    title: str = ""
    quote: str = ""


Finish = Literal["stop", "length", "tool", "filter"]


def total_cost(spans: list[Span]) -> float | None:
    """What all of it cost; None where the price of a part is not known."""
    costs = [span.cost for span in spans if span.usage is not None or span.cost is not None]
    return sum(cost for cost in costs if cost is not None) if costs and None not in costs else None


def total_usage(spans: list[Span]) -> Usage | None:
    """What all of it came to."""
    told = [span.usage for span in spans if span.usage is not None]
    if not told:
        return None
    return Usage(
        input=sum(usage.input for usage in told),
        output=sum(usage.output for usage in told),
        exact=len(told) == len(spans) and all(usage.exact for usage in told),
        cached=sum(usage.cached for usage in told),
        reasoning=sum(usage.reasoning for usage in told),
    )
