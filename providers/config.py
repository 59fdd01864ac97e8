"""How a provider is reached, and how long it may take."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """The time limits of one stream, in seconds, and how often it may be begun anew.

    A token is any progress of the answer: text, reasoning, a piece of a tool call. Keep-alives are none, so a
    server that only says it is alive runs into `first_token` or `between_tokens` all the same.
    """

    connect: float = 5.0
    first_token: float = 120.0
    between_tokens: float = 30.0
    whole: float = 1800.0
    listing: float = 10.0
    retries: int = 1
    """Further tries of a request that was refused for the moment; none once the answer has begun."""
    retry_share: float = 0.2
    """So many retries a request in the long run, so that a provider in trouble is not asked twice by everybody."""


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One provider, as an operator describes it.

    `kind` names the engine: `openai`, `anthropic`, or one that another package brings. The settings are
    defaults for prompts that say nothing themselves; `context_window` is in tokens, prompt and answer both.
    """

    name: str
    kind: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    default_model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    context_window: int = 8192
    prefill: bool | None = None
    """Whether its models go on with an answer that stands last in the prompt; None leaves it to their profiles."""
    streams: bool | None = None
    """Whether its models tell their answers in pieces; likewise."""
    limits: Limits = Limits()
