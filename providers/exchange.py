"""One prompt's exchange with a provider: what every engine that streams over HTTP does alike.

The engine opens the response and brings a `Reading`, which knows the wire format and nothing of the network.
Here are the network, the time limits, and what the end of a stream means. The body is read raw, past the
vendor's SDK, which would build a validated object for every token and take a cut stream for a whole one.
"""

import asyncio
import random
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from typing import Protocol, TypeVar

import anyio
import httpx2
import msgspec

from providers.config import Limits
from providers.contract import Delta, Finish, FinishReason, Usage, UsageReport
from providers.errors import (
    MalformedStream,
    ProviderError,
    SlowToBegin,
    SlowToEnd,
    Stalled,
    TimedOut,
    Truncated,
)
from providers.halves import Halves
from providers.pacing import paced
from providers.patience import Patience
from providers.retries import RetryBudget, pause, worth_retrying
from providers.sse import BodyCollector, EventSplitter, EventTooLong

_DRAIN = 0.1

Decoded = TypeVar("Decoded")

# The last two escape httpx2 when a TLS connection breaks.
_BROKEN = (httpx2.RequestError, ssl.SSLError, anyio.EndOfStream)


class Reading(ABC):
    """What has been understood of one stream so far. Pure: events in, deltas out."""

    def __init__(self) -> None:
        self.reason: FinishReason | None = None
        """Why the model stopped; from then on the answer is whole, whatever becomes of the connection."""
        self.usage: Usage | None = None
        self.ended = False
        """The protocol's own last event has come."""
        self.tokens: int = 0
        """How often the answer has grown: by text, reasoning, or a piece of a tool call."""
        self._halves = Halves()

    whole: bool = False
    """The answer is not streamed: the body is one object, and all that `feed` gets."""

    @abstractmethod
    def feed(self, event: bytes) -> Sequence[Delta]:
        """Take the data of one event; raises `ProviderError` for one that tells of a failure."""

    def _decoded(self, decode: Callable[[bytes], Decoded], event: bytes) -> Decoded:
        """Decode it, also where a character was cut in two."""
        try:
            return decode(event)
        except msgspec.DecodeError:
            mended = self._halves.joined(event)
            if mended == event:
                raise
            return decode(mended)


class Request(Protocol):
    """One prompt as an engine sends it; each try opens it anew."""

    def open(self) -> AbstractAsyncContextManager[httpx2.Response]:
        """Send it; the response is open as long as the context is. Raises `ProviderError` for a refusal."""
        ...

    def reading(self) -> Reading:
        """A reading of its answer, which has not begun."""
        ...


async def converse(
    provider: str, limits: Limits, budget: RetryBudget, request: Request
) -> AsyncGenerator[Delta, None]:
    """Stream one answer, as `providers.contract` promises it; try again while nothing of it has come."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    tries = 0
    budget.earn()
    while True:
        reading = request.reading()
        try:
            async with aclosing(_answer(provider, limits, request.open(), reading, begun)) as deltas:
                async for delta in deltas:
                    yield delta
        except ProviderError as error:
            if reading.tokens or tries >= limits.retries or not worth_retrying(error):
                raise
            wait = pause(error, tries, random.random())  # noqa: S311 - spread, not secrecy
            if clock() + wait >= begun + limits.first_token or not budget.spend():
                raise
            tries += 1
        else:
            return
        await asyncio.sleep(wait)


async def _answer(
    provider: str,
    limits: Limits,
    opening: AbstractAsyncContextManager[httpx2.Response],
    reading: Reading,
    begun: float,
) -> AsyncGenerator[Delta, None]:
    """One try."""
    clock = asyncio.get_running_loop().time
    end, deadline = begun + limits.whole, begun + min(limits.first_token, limits.whole)
    if reading.whole:
        deadline = end  # its first token comes with the last
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout_at(deadline):
                response = await stack.enter_async_context(opening)
        except TimeoutError:
            raise _timed_out(provider, reading, last=reading.whole) from None
        # Each layer between costs every token; of a body that is not packed there is nothing to unpack.
        body = response.aiter_bytes() if "content-encoding" in response.headers else response.aiter_raw()
        chunks = await stack.enter_async_context(aclosing(body))
        patience = Patience()
        stack.callback(patience.close)
        # The first token goes at once, and so does all that follows the last.
        stack.enter_context(paced(response, lambda: reading.tokens > 0 and reading.reason is None))
        splitter = BodyCollector() if reading.whole else EventSplitter()
        chunk: bytes | None = b""
        while chunk is not None and not reading.ended:
            chunk = await _next(chunks, patience.until(deadline), provider, reading, last=deadline == end)
            tokens = reading.tokens
            for event in splitter.end() if chunk is None else _split(splitter, chunk, provider):
                for delta in _read(reading, event, provider):
                    yield delta
            if reading.tokens > tokens:
                deadline = min(clock() + limits.between_tokens, end)
        if reading.reason is None:
            raise Truncated(f"{provider} ended the stream before the answer.")
        if reading.ended:
            await _drain(chunks)
        if reading.usage is not None:
            yield UsageReport(reading.usage)
        yield Finish(reading.reason, _request_id(response))


async def _next(
    chunks: AsyncIterator[bytes], patience: Patience, provider: str, reading: Reading, *, last: bool
) -> bytes | None:
    """Wait for more of the body; None when there is no more, or no more is needed."""
    try:
        with patience:
            return await anext(chunks, None)
    except TimeoutError:
        if reading.reason is None:
            raise _timed_out(provider, reading, last=last) from None
    except _BROKEN as error:
        if reading.reason is None:
            raise Truncated(f"{provider} broke off before the end of the answer.") from error
    return None


def _split(splitter: EventSplitter | BodyCollector, chunk: bytes, provider: str) -> list[bytes]:
    try:
        return splitter.feed(chunk)
    except EventTooLong as error:
        raise MalformedStream(f"{provider} sent an event that is too long.") from error


def _read(reading: Reading, event: bytes, provider: str) -> Sequence[Delta]:
    try:
        return reading.feed(event)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedStream(f"{provider} sent an event that its protocol does not know.") from error


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read the little that follows the last event, so that the connection can serve the next prompt."""
    try:
        async with asyncio.timeout(_DRAIN):
            async for _ in chunks:
                pass
    except (TimeoutError, *_BROKEN):
        # The answer is whole; the connection is closed instead of kept.
        return


def _timed_out(provider: str, reading: Reading, *, last: bool = False) -> TimedOut:
    if last:
        return SlowToEnd(f"{provider} took too long for the whole answer.")
    if reading.tokens:
        return Stalled(f"{provider} took too long for the next token.")
    return SlowToBegin(f"{provider} took too long for the first token.")


def _request_id(response: httpx2.Response) -> str | None:
    return response.headers.get("x-request-id") or response.headers.get("request-id")


class _Model(msgspec.Struct):
    id: str


class _Listing(msgspec.Struct):
    data: list[_Model]


def model_ids(provider: str, body: bytes) -> list[str]:
    """Read the list of models, which is alike in both protocols.

    Not left to the SDKs, which raise whatever Python raises when the address leads to some other server.
    """
    try:
        return [model.id for model in msgspec.json.decode(body, type=_Listing).data]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedStream(f"{provider} sent no list of models; is its address right?") from error
