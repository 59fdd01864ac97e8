"""A provider, whatever goes wrong behind it: the same failures over both protocols, on three doubles."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from providers import errors
from tests.support.model_doubles import TEXT, AimockDouble, Double, LLMockDouble, ScriptedDouble
from tests.support.providers import PATIENT, asking, opened, receive
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.wires import WIRES, Wire, answer


@pytest.fixture(params=WIRES, ids=lambda wire: wire.kind)
def wire(request: pytest.FixtureRequest) -> Wire:
    """Each protocol in turn."""
    return request.param


@pytest.fixture(params=["llmock", "aimock", "scripted"])
async def double(request: pytest.FixtureRequest, wire: Wire) -> AsyncGenerator[Double]:
    """Each double in turn, speaking the protocol."""
    if request.param == "llmock":
        yield LLMockDouble(request.getfixturevalue("llmock"), wire)
    elif request.param == "aimock":
        yield AimockDouble(request.getfixturevalue("aimock_url"), wire)
    else:
        async with ScriptedServer() as server:
            yield ScriptedDouble(server, wire)


async def test_a_stream_that_ends_early_is_truncated(wire: Wire, double: Double) -> None:
    """A body that ends in good order without a finish reason is a failure, after the text that came."""
    double.end_early()
    async with opened(wire, double.base_url) as provider:
        received = await receive(provider.stream(asking("Count.")))
    assert isinstance(received.error, errors.Truncated)
    assert received.error.retryable
    assert TEXT.startswith(received.text)
    assert received.text
    assert not received.finishes


async def test_a_connection_that_breaks_is_truncated(wire: Wire, double: Double) -> None:
    """A connection that breaks in the middle never leaks what the HTTP library raises."""
    double.break_off()
    async with opened(wire, double.base_url) as provider:
        received = await receive(provider.stream(asking("Count.")))
    assert isinstance(received.error, errors.Truncated)
    assert TEXT.startswith(received.text)
    assert not received.finishes


async def test_an_event_that_is_no_json_is_malformed(wire: Wire, double: Double) -> None:
    """What stood before the malformed event has been given; what follows it never is."""
    double.garble()
    async with opened(wire, double.base_url) as provider:
        received = await receive(provider.stream(asking("Count.")))
    # What aimock makes of it is no stream at all, which is a stream that ended before it began.
    whole_body = isinstance(double, AimockDouble)
    assert isinstance(received.error, errors.Truncated if whole_body else errors.MalformedStream)
    assert TEXT.startswith(received.text)
    assert received.text != TEXT
    assert not received.finishes


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, errors.BadRequest),
        (401, errors.Unauthorized),
        (403, errors.Unauthorized),
        (429, errors.RateLimited),
        (500, errors.Overloaded),
        (529, errors.Overloaded),
    ],
)
async def test_a_refusal_has_its_own_error(
    wire: Wire, double: Double, status: int, expected: type[errors.ProviderError]
) -> None:
    """Each status becomes the error that says what it means."""
    double.refuse(status)
    async with opened(wire, double.base_url) as provider:
        received = await receive(provider.stream(asking("Count.")))
    assert type(received.error) is expected
    assert not received.deltas
    assert double.hits == 1


async def test_a_rate_limit_says_when_to_come_back(wire: Wire, double: Double) -> None:
    """`Retry-After` reaches whoever decides about the next try."""
    double.refuse(429, retry_after=17)
    async with opened(wire, double.base_url) as provider:
        received = await receive(provider.stream(asking("Count.")))
    assert isinstance(received.error, errors.RateLimited)
    assert received.error.retry_after == 17
    assert received.error.retryable


async def test_a_passing_refusal_is_tried_again(wire: Wire, double: Double) -> None:
    """Before the first byte a refusal for the moment costs nothing but a second request."""
    double.refuse(503, retry_after=0.01, times=1)
    async with opened(wire, double.base_url, replace(PATIENT, retries=1)) as provider:
        received = await receive(provider.stream(asking("Count.")))
    assert received.error is None
    assert received.text == TEXT
    assert double.hits == 2


async def test_nothing_is_tried_again_after_the_first_byte(wire: Wire, double: Double) -> None:
    """A stream that broke off is not begun anew behind the reader's back."""
    double.break_off()
    async with opened(wire, double.base_url, replace(PATIENT, retries=3)) as provider:
        received = await receive(provider.stream(asking("Count.")))
    assert isinstance(received.error, errors.Truncated)
    assert double.hits == 1


async def test_silence_before_the_first_token_times_out(wire: Wire, double: Double) -> None:
    """Waiting for the first token has its own limit."""
    double.stay_silent()
    async with opened(wire, double.base_url, replace(PATIENT, first_token=0.2)) as provider:
        received = await receive(provider.stream(asking("Count.")))
    assert isinstance(received.error, errors.SlowToBegin)
    assert received.error.code == "provider_timeout_first_token"
    assert "first token" in received.error.detail
    assert not received.deltas


async def test_silence_in_the_middle_times_out(wire: Wire, double: Double) -> None:
    """Waiting for the next token has another limit; the text so far has been given."""
    double.stall()
    async with opened(wire, double.base_url, replace(PATIENT, between_tokens=0.5)) as provider:
        received = await receive(provider.stream(asking("Count.")))
    assert isinstance(received.error, errors.Stalled)
    assert received.error.code == "provider_timeout_between_tokens"
    assert "next token" in received.error.detail
    assert TEXT.startswith(received.text)
    assert received.text


async def test_a_provider_serves_on_after_a_failure(wire: Wire, double: Double) -> None:
    """One broken stream leaves nothing behind that the next one would meet."""
    double.refuse(500, times=1)
    async with opened(wire, double.base_url) as provider:
        failed = await receive(provider.stream(asking("Count.")))
        received = await receive(provider.stream(asking("Count.")))
    assert isinstance(failed.error, errors.Overloaded)
    assert received.error is None
    assert received.text == TEXT


async def test_a_slow_drip_is_no_failure(wire: Wire) -> None:
    """Tokens that come one by one, each within its limit, may take longer together than any limit but the whole's."""
    async with ScriptedServer() as server:
        pieces = [f"{number} " for number in range(8)]
        opening, *events = answer(wire, pieces)
        server.script(Answer([opening, *[step for event in events for step in (0.05, event)]]))
        limits = replace(PATIENT, first_token=0.3, between_tokens=0.3)
        async with opened(wire, server.url + wire.base_path, limits) as provider:
            received = await receive(provider.stream(asking("Count.")))
    assert received.error is None
    assert received.text == "".join(pieces)


async def test_the_whole_answer_has_a_limit(wire: Wire) -> None:
    """A model that never comes to an end is stopped, however regularly its tokens come, and its connection closed."""
    async with ScriptedServer() as server:
        endless = [step for _ in range(400) for step in (0.01, wire.text("on and "))]
        server.script(Answer([wire.opening(), *endless]))
        async with opened(wire, server.url + wire.base_path, replace(PATIENT, whole=0.3)) as provider:
            received = await receive(provider.stream(asking("Count.")))
            await asyncio.wait_for(server.abandoned.wait(), 10)
    assert type(received.error) is errors.SlowToEnd
    assert received.text.startswith("on and on and ")
