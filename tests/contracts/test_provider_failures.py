"""A provider, whatever goes wrong behind it: the same failures in each column of the matrix."""

import asyncio
from dataclasses import replace

import pytest

from providers import errors
from tests.support.columns import Column, configured
from tests.support.full_port import full_port
from tests.support.model_doubles import AimockDouble, Double
from tests.support.providers import PATIENT, asking, opened, receive
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.wires import WIRES, Wire


async def test_a_stream_that_ends_early_is_truncated(column: Column, double: Double) -> None:
    """A body that ends in good order without a finish reason is a failure, after the text that came."""
    double.end_early()
    async with configured(column, double.base_url) as provider:
        received = await receive(provider.stream(double.prompt))
    assert isinstance(received.error, errors.Truncated)
    assert received.error.retryable
    assert double.text.startswith(received.text)
    assert received.text
    assert not received.finishes


async def test_a_connection_that_breaks_is_truncated(column: Column, double: Double) -> None:
    """A connection that breaks in the middle never leaks what the HTTP library raises."""
    double.break_off()
    async with configured(column, double.base_url) as provider:
        received = await receive(provider.stream(double.prompt))
    assert isinstance(received.error, errors.Truncated)
    assert double.text.startswith(received.text)
    assert not received.finishes


async def test_an_event_that_is_no_json_is_malformed(column: Column, double: Double) -> None:
    """What stood before the malformed event has been given; what follows it never is."""
    double.garble()
    async with configured(column, double.base_url) as provider:
        received = await receive(provider.stream(double.prompt))
    # What aimock makes of it is no stream at all, which is a stream that ended before it began.
    whole_body = isinstance(double, AimockDouble)
    assert isinstance(received.error, errors.Truncated if whole_body else errors.MalformedStream)
    assert double.text.startswith(received.text)
    assert received.text != double.text
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
    column: Column, double: Double, status: int, expected: type[errors.ProviderError]
) -> None:
    """Each status becomes the error that says what it means."""
    double.refuse(status)
    async with configured(column, double.base_url) as provider:
        received = await receive(provider.stream(double.prompt))
    assert type(received.error) is expected
    assert not received.deltas
    assert double.hits == 1


async def test_a_rate_limit_says_when_to_come_back(column: Column, double: Double) -> None:
    """`Retry-After` reaches whoever decides about the next try."""
    double.refuse(429, retry_after=17)
    async with configured(column, double.base_url) as provider:
        received = await receive(provider.stream(double.prompt))
    assert isinstance(received.error, errors.RateLimited)
    assert received.error.retry_after == 17
    assert received.error.retryable


async def test_a_passing_refusal_is_tried_again(column: Column, double: Double) -> None:
    """Before the first byte a refusal for the moment costs nothing but a second request."""
    double.refuse(503, retry_after=0.01, times=1)
    async with configured(column, double.base_url, replace(PATIENT, retries=1)) as provider:
        received = await receive(provider.stream(double.prompt))
    assert received.error is None
    assert received.text == double.text
    assert double.hits == 2


async def test_a_provider_is_left_alone_for_as_long_as_it_asks(column: Column, double: Double) -> None:
    """The next try comes no sooner than `Retry-After` says."""
    double.refuse(429, retry_after=1, times=1)
    clock = asyncio.get_running_loop().time
    async with configured(column, double.base_url, replace(PATIENT, retries=1)) as provider:
        began = clock()
        received = await receive(provider.stream(double.prompt))
    assert received.error is None
    assert clock() - began >= 1
    assert double.hits == 2


async def test_what_asks_for_too_long_is_not_waited_for(column: Column, double: Double) -> None:
    """A pause beyond the limit for the first token is told at once, so that somebody else may answer."""
    double.refuse(429, retry_after=3600)
    async with configured(column, double.base_url, replace(PATIENT, retries=3)) as provider:
        received = await receive(provider.stream(double.prompt))
    assert isinstance(received.error, errors.RateLimited)
    assert received.error.retry_after == 3600
    assert double.hits == 1


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.kind)
async def test_a_provider_in_trouble_is_not_asked_twice_by_everybody(wire: Wire) -> None:
    """Retries are paid from a budget: what was saved up, and a share of the requests; then no more."""
    prompts, saved, share = 40, 10, 0.2
    async with ScriptedServer() as server:
        server.script(Answer([wire.refusal("of_some_kind", "No.")], 503, {"retry-after": "0"}))
        async with opened(wire, server.url + wire.base_path, replace(PATIENT, retries=1)) as provider:
            for _ in range(prompts):
                assert isinstance((await receive(provider.stream(asking("Count.")))).error, errors.Overloaded)
        tries = len(server.requests)
    assert prompts + saved <= tries <= prompts + saved + share * prompts


async def test_nothing_is_tried_again_after_the_first_byte(column: Column, double: Double) -> None:
    """A stream that broke off is not begun anew behind the reader's back."""
    double.break_off()
    async with configured(column, double.base_url, replace(PATIENT, retries=3)) as provider:
        received = await receive(provider.stream(double.prompt))
    assert isinstance(received.error, errors.Truncated)
    assert double.hits == 1


@pytest.mark.parametrize("provider", ["openai", "anthropic", "lmstudio", "local"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_connection_that_is_not_made_times_out(provider: str, scheme: str) -> None:
    """Where nobody answers at all, the limit for connecting counts, and not the longer one for the first token."""
    column = Column(provider, "nobody")
    with full_port() as address:
        base_url = f"{scheme}://{address}{column.wire.base_path}"
        async with configured(column, base_url, replace(PATIENT, connect=0.3, retries=3)) as asked:
            received = await receive(asked.stream(asking("Count.")))
    assert type(received.error) is errors.SlowToConnect
    assert received.error.code == "provider_timeout_connect"
    assert received.error.retryable
    assert not received.deltas


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_a_handshake_that_is_not_answered_times_out(provider: str) -> None:
    """A server that is reached and says nothing of its certificate has not been connected to."""
    async with ScriptedServer() as server:
        column = Column(provider, "silent")
        base_url = server.url.replace("http:", "https:") + column.wire.base_path
        async with configured(column, base_url, replace(PATIENT, connect=0.3)) as asked:
            received = await receive(asked.stream(asking("Count.")))
    assert type(received.error) is errors.SlowToConnect


async def test_silence_before_the_first_token_times_out(column: Column, double: Double) -> None:
    """Waiting for the first token has its own limit."""
    double.stay_silent()
    async with configured(column, double.base_url, replace(PATIENT, first_token=0.2)) as provider:
        received = await receive(provider.stream(double.prompt))
    assert isinstance(received.error, errors.SlowToBegin)
    assert received.error.code == "provider_timeout_first_token"
    assert "first token" in received.error.detail
    assert not received.deltas


async def test_silence_in_the_middle_times_out(column: Column, double: Double) -> None:
    """Waiting for the next token has another limit; the text so far has been given."""
    double.stall()
    async with configured(column, double.base_url, replace(PATIENT, between_tokens=0.5)) as provider:
        received = await receive(provider.stream(double.prompt))
    assert isinstance(received.error, errors.Stalled)
    assert received.error.code == "provider_timeout_between_tokens"
    assert "next token" in received.error.detail
    assert double.text.startswith(received.text)
    assert received.text


async def test_a_provider_serves_on_after_a_failure(column: Column, double: Double) -> None:
    """One broken stream leaves nothing behind that the next one would meet."""
    double.refuse(500, times=1)
    async with configured(column, double.base_url) as provider:
        failed = await receive(provider.stream(double.prompt))
        received = await receive(provider.stream(double.prompt))
    assert isinstance(failed.error, errors.Overloaded)
    assert received.error is None
    assert received.text == double.text


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.kind)
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
