"""A provider that answers: the same promises over both protocols, kept by three doubles and a real model."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

import httpx2
import pytest

from providers.contract import Finish, ReasoningDelta, TextDelta, UsageReport
from server.embedded.model import ALIAS
from tests.support.model_doubles import AimockDouble, LLMockDouble, ScriptedDouble
from tests.support.providers import PATIENT, asking, opened, receive
from tests.support.scripted_server import ScriptedServer
from tests.support.waiting import wait_until
from tests.support.wires import WIRES, Wire


@dataclass(frozen=True)
class House:
    """A server and the protocol to speak with it."""

    wire: Wire
    base_url: str


@pytest.fixture
def model(model_url: str) -> str:
    """The address of the real model, under which each protocol has its path."""
    return model_url.removesuffix("/v1")


@pytest.fixture(params=WIRES, ids=lambda wire: wire.kind)
def wire(request: pytest.FixtureRequest) -> Wire:
    """Each protocol in turn."""
    return request.param


@pytest.fixture(params=["llmock", "aimock", "scripted", "llama.cpp"])
async def house(request: pytest.FixtureRequest, wire: Wire) -> AsyncGenerator[House]:
    """Each server in turn, at its best."""
    if request.param == "llama.cpp":
        yield House(wire, request.getfixturevalue("model") + wire.base_path)
    elif request.param == "aimock":
        yield House(wire, AimockDouble(request.getfixturevalue("aimock_url"), wire).base_url)
    elif request.param == "llmock":
        yield House(wire, LLMockDouble(request.getfixturevalue("llmock"), wire).base_url)
    else:
        async with ScriptedServer() as server:
            double = ScriptedDouble(server, wire)
            double.behave()
            yield House(wire, double.base_url)


async def test_an_answer_ends_in_its_usage_and_one_finish(house: House) -> None:
    """Text in pieces that are never empty, then an exact account, then one Finish."""
    async with opened(house.wire, house.base_url) as provider:
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


@pytest.fixture(params=["llmock", "aimock", "llama.cpp"])
def whole_answers(request: pytest.FixtureRequest, wire: Wire) -> House:
    """Each server in turn that streams only when it is asked to."""
    if request.param == "llama.cpp":
        return House(wire, request.getfixturevalue("model") + wire.base_path)
    if request.param == "aimock":
        return House(wire, AimockDouble(request.getfixturevalue("aimock_url"), wire).base_url)
    return House(wire, LLMockDouble(request.getfixturevalue("llmock"), wire).base_url)


async def test_a_model_that_does_not_stream_answers_at_once(whole_answers: House) -> None:
    """Its whole text is one delta, then an exact account, then one Finish."""
    async with opened(whole_answers.wire, whole_answers.base_url, streams=False) as provider:
        received = await receive(provider.stream(asking("Say hello.", max_tokens=8)))
    assert received.error is None
    assert [type(delta) for delta in received.deltas] == [TextDelta, UsageReport, Finish]
    assert received.text
    assert received.usage is not None
    assert received.usage.exact
    assert received.usage.output > 0


async def test_streams_run_side_by_side(house: House) -> None:
    """One provider serves several readers at once, each with a whole answer of its own."""
    async with opened(house.wire, house.base_url) as provider:
        streams = [provider.stream(asking("Say hello.", max_tokens=4)) for _ in range(3)]
        everything = await asyncio.gather(*map(receive, streams))
    assert [len(received.finishes) for received in everything] == [1, 1, 1]
    assert all(received.text for received in everything)


async def test_a_stream_that_is_never_read_asks_nothing(house: House) -> None:
    """Nothing happens before the first token is wanted, and nothing is left to warn about."""
    async with opened(house.wire, house.base_url) as provider:
        await provider.stream(asking("Say hello.")).aclose()


async def test_the_maximum_ends_the_answer(model: str, wire: Wire) -> None:
    """An answer that the maximum cut says so, and counts as many tokens."""
    async with opened(wire, model + wire.base_path) as provider:
        received = await receive(provider.stream(asking("Tell me a long story about the sea.", max_tokens=5)))
    assert [finish.reason for finish in received.finishes] == ["length"]
    assert received.usage is not None
    assert received.usage.output == 5


async def test_an_answer_that_was_begun_is_gone_on_with(model: str, wire: Wire) -> None:
    """A model with its own beginning before it writes the rest that it would have written, and no more."""
    asked = asking("Tell me a long story about the sea.", max_tokens=24)
    again = replace(PATIENT, retries=1)  # this server closes connections that it has said it would keep
    async with opened(wire, model + wire.base_path, again, prefill=True) as provider:
        whole = (await receive(provider.stream(asked))).text
        words = whole.split(" ")
        kept = " ".join(words[: len(words) // 2]) + " "
        rest = await receive(provider.stream(replace(asked, kept=kept)))
    assert rest.error is None
    assert (kept + rest.text).startswith(whole)


async def test_stopping_frees_the_model(model: str, wire: Wire) -> None:
    """When the reader leaves, the model stops working for nobody."""
    async with opened(wire, model + wire.base_path) as provider:
        async with aclosing(
            provider.stream(asking("Tell me a long story about the sea.", max_tokens=1500))
        ) as stream:
            await anext(stream)
        async with httpx2.AsyncClient(base_url=model) as client:

            async def idle() -> bool:
                metrics = (await client.get("/metrics")).text
                return "llamacpp:requests_processing 0" in metrics.splitlines()

            await wait_until(idle)


@pytest.mark.parametrize("served_by", ["llmock", "llama.cpp"])
async def test_models_are_named(request: pytest.FixtureRequest, wire: Wire, served_by: str) -> None:
    """What the server offers now is listed."""
    if served_by == "llmock":
        base_url = LLMockDouble(request.getfixturevalue("llmock"), wire).base_url
    else:
        base_url = request.getfixturevalue("model") + wire.base_path
    async with opened(wire, base_url) as provider:
        models = await provider.models()
    assert models
    assert served_by == "llmock" or models == [ALIAS]


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
