"""Opening a provider and reading its streams in tests."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from providers.config import Limits, ProviderConfig
from providers.contract import Delta, Finish, Prompt, Provider, TextDelta, Turn, Usage, UsageReport
from providers.errors import ProviderError
from providers.registry import Registry
from tests.support.wires import Wire

KEY = "test-key-that-nobody-may-see"

PATIENT = Limits(connect=10, first_token=60, between_tokens=60, retries=0)


@asynccontextmanager
async def opened(
    wire: Wire,
    base_url: str,
    limits: Limits = PATIENT,
    *,
    prefill: bool = False,
    streams: bool = True,
) -> AsyncGenerator[Provider]:
    """Open the one provider `house` that speaks a protocol with a server."""
    config = ProviderConfig(
        "house",
        wire.kind,
        base_url=base_url,
        api_key=KEY,
        limits=limits,
        prefill=prefill,
        streams=streams,
    )
    async with Registry([config]) as registry:
        yield registry.get("house")


@dataclass
class Received:
    """All that a stream gave until it ended."""

    deltas: list[Delta] = field(default_factory=list)
    error: ProviderError | None = None

    @property
    def text(self) -> str:
        """The answer as far as it came."""
        return "".join(delta.text for delta in self.deltas if isinstance(delta, TextDelta))

    @property
    def finishes(self) -> list[Finish]:
        """Every Finish; one, or none where an error stands."""
        return [delta for delta in self.deltas if isinstance(delta, Finish)]

    @property
    def usage(self) -> Usage | None:
        """The account, where one was given."""
        return next((delta.usage for delta in self.deltas if isinstance(delta, UsageReport)), None)


async def receive(stream: AsyncGenerator[Delta, None]) -> Received:
    """Read a stream to its end, whatever end that is."""
    received = Received()
    async with aclosing(stream):
        try:
            async for delta in stream:
                received.deltas.append(delta)
        except ProviderError as error:
            received.error = error
    return received


def asking(text: str, *, max_tokens: int | None = None) -> Prompt:
    """Build a prompt of one question, with a system turn before it and nothing left to chance."""
    turns = (Turn("system", "You answer briefly."), Turn("user", text))
    return Prompt(model="smollm2", turns=turns, temperature=0.0, max_tokens=max_tokens)
