"""A provider that answers: the same promises in each column of the matrix, kept by three doubles and a real model."""

import asyncio
import json
from dataclasses import replace

import pytest

from providers.contract import Finish, FinishReason, ReasoningDelta, TextDelta, ToolCallDelta, UsageReport
from providers.errors import BadRequest
from server.embedded.model import ALIAS, CONTEXT
from tests.support.columns import COLUMNS, Column, configured
from tests.support.model_doubles import Double, ScriptedDouble
from tests.support.providers import PATIENT, asking, opened, receive
from tests.support.scripted_server import ScriptedServer
from tests.support.wires import WIRES, Wire

REAL = pytest.mark.parametrize("column", [one for one in COLUMNS if one.is_real], ids=str)
OF_OTHERS = pytest.mark.parametrize("column", [one for one in COLUMNS if one.server != "scripted"], ids=str)


@pytest.fixture
def base_url(request: pytest.FixtureRequest, column: Column) -> str:
    """Give the address of the column's server, at its best, and with nothing before it."""
    if column.server != "scripted":
        return request.getfixturevalue("served_at")
    double: Double = request.getfixturevalue("double")
    double.behave()
    return double.base_url


async def test_an_answer_ends_in_its_usage_and_one_finish(column: Column, base_url: str) -> None:
    """Text in pieces that are never empty, then an exact account, then one Finish."""
    async with configured(column, base_url) as provider:
        received = await receive(provider.stream(asking("Say hello.", max_tokens=8)))
    assert received.error is None
    *pieces, account, finish = received.deltas
    assert pieces
    assert all(isinstance(piece, TextDelta | ReasoningDelta) and piece.text for piece in pieces)
    assert isinstance(account, UsageReport)
    assert isinstance(finish, Finish)
    assert received.text
    assert account.usage.exact
    assert account.usage.input > 0
    assert account.usage.output > 0
    assert finish.reason in ("stop", "length")


REASONS: tuple[FinishReason, ...] = ("stop", "length", "tool", "filter")


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        pytest.param(column, reason, id=f"{column}-{reason}")
        for column in COLUMNS
        # The real model is too small to call tools, and filters nothing.
        for reason in (REASONS[:2] if column.is_real else REASONS)
        if column.server != "scripted"
    ],
)
async def test_why_an_answer_ends(column: Column, double: Double, reason: FinishReason) -> None:
    """Each server's own word for it becomes ours; with `tool` comes the call, its arguments whole."""
    prompt = double.finish(reason)
    async with configured(column, double.base_url) as provider:
        received = await receive(provider.stream(prompt))
    assert received.error is None
    assert [finish.reason for finish in received.finishes] == [reason]
    calls = [delta for delta in received.deltas if isinstance(delta, ToolCallDelta)]
    called = [(call.name, json.loads(call.arguments)) for call in calls]
    assert called == ([("look", {"at": 1})] if reason == "tool" else [])


@OF_OTHERS
async def test_a_model_that_does_not_stream_answers_at_once(column: Column, served_at: str) -> None:
    """Its whole text is one delta, then an exact account, then one Finish."""
    async with configured(column, served_at, streams=False) as provider:
        received = await receive(provider.stream(asking("Say hello.", max_tokens=8)))
    assert received.error is None
    assert [type(delta) for delta in received.deltas] == [TextDelta, UsageReport, Finish]
    assert received.text
    assert received.usage is not None
    assert received.usage.exact
    assert received.usage.output > 0


async def test_streams_run_side_by_side(column: Column, base_url: str) -> None:
    """One provider serves several readers at once, each with a whole answer of its own."""
    async with configured(column, base_url) as provider:
        streams = [provider.stream(asking("Say hello.", max_tokens=4)) for _ in range(3)]
        everything = await asyncio.gather(*map(receive, streams))
    assert [len(received.finishes) for received in everything] == [1, 1, 1]
    assert all(received.text for received in everything)


async def test_a_stream_that_is_never_read_asks_nothing(column: Column, double: Double) -> None:
    """Nothing happens before the first token is wanted, and nothing is left to warn about."""
    async with configured(column, double.base_url) as provider:
        await provider.stream(double.prompt).aclose()
    assert double.hits == 0


@REAL
async def test_the_maximum_ends_the_answer(column: Column, served_at: str) -> None:
    """An answer that the maximum cut counts as many tokens."""
    async with configured(column, served_at) as provider:
        received = await receive(provider.stream(asking("Tell me a long story about the sea.", max_tokens=5)))
    assert [finish.reason for finish in received.finishes] == ["length"]
    assert received.usage is not None
    assert received.usage.output == 5


@REAL
async def test_a_prompt_that_is_too_long_is_refused(column: Column, served_at: str) -> None:
    """More than the model's window: it says so before it begins, and the connection serves on."""
    async with configured(column, served_at) as provider:
        refused = await receive(provider.stream(asking("word " * (2 * CONTEXT), max_tokens=5)))
        received = await receive(provider.stream(asking("Say hello.", max_tokens=5)))
    assert type(refused.error) is BadRequest
    assert received.error is None


@REAL
async def test_an_answer_that_was_begun_is_gone_on_with(column: Column, served_at: str) -> None:
    """A model with its own beginning before it writes the rest that it would have written, and no more."""
    asked = asking("Tell me a long story about the sea.", max_tokens=24)
    again = replace(PATIENT, retries=1)  # this server closes connections that it has said it would keep
    async with configured(column, served_at, again, prefill=True) as provider:
        whole = (await receive(provider.stream(asked))).text
        words = whole.split(" ")
        kept = " ".join(words[: len(words) // 2]) + " "
        rest = await receive(provider.stream(replace(asked, kept=kept)))
    assert rest.error is None
    assert (kept + rest.text).startswith(whole)


@pytest.mark.parametrize("column", [one for one in COLUMNS if one.server in ("llmock", "llama.cpp")], ids=str)
async def test_models_are_named(column: Column, served_at: str) -> None:
    """What the server offers now is listed."""
    async with configured(column, served_at) as provider:
        models = await provider.models()
    assert models
    assert not column.is_real or models == [ALIAS]


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.kind)
async def test_the_prompt_arrives_as_the_protocol_wants_it(wire: Wire) -> None:
    """System turn, conversation and settings stand where each protocol has them."""
    async with ScriptedServer() as server:
        double = ScriptedDouble(server, wire)
        double.behave()
        async with opened(wire, double.base_url) as provider:
            await receive(provider.stream(asking("Say hello.", max_tokens=9)))
    sent = json.loads(server.requests[0].body)
    conversation = [{"role": "user", "content": "Say hello."}]
    expected = {"model": "smollm2", "stream": True, "temperature": 0.0, "max_tokens": 9}
    if wire.kind == "openai":
        expected["messages"] = [{"role": "system", "content": "You answer briefly."}, *conversation]
        expected["stream_options"] = {"include_usage": True}
    else:
        expected |= {"messages": conversation, "system": "You answer briefly."}
    assert sent == expected
