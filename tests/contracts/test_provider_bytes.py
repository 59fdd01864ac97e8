"""A provider, whatever the bytes: what only a server can show that sends them exactly."""

import asyncio
import json
import re
import traceback
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from itertools import groupby

import pytest

from providers import errors
from providers.contract import (
    CitationDelta,
    Delta,
    Finish,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from providers.sse import MAX_EVENT
from tests.support.providers import KEY, PATIENT, asking, opened, receive
from tests.support.scripted_server import Answer, ScriptedServer, Step
from tests.support.wires import CALLED, CITED, INPUT_TOKENS, WIRES, OpenAIWire, Wire, answer

_LONGER_THAN_THE_SDKS = 5.5


@pytest.fixture(params=WIRES, ids=lambda wire: wire.kind)
def wire(request: pytest.FixtureRequest) -> Wire:
    """Each protocol in turn."""
    return request.param


@pytest.fixture
async def server() -> AsyncGenerator[ScriptedServer]:
    """A server without a script."""
    async with ScriptedServer() as server:
        yield server


async def test_characters_survive_being_cut(wire: Wire, server: ScriptedServer) -> None:
    """A body sent byte by byte, through every character, gives the text unharmed."""
    pieces = ["¿Qué tal, ", "señora? ", "日本語 ", "👩‍👩‍👧"]
    body = b"".join(answer(wire, pieces))
    server.script(Answer([body[at : at + 1] for at in range(len(body))]))
    async with opened(wire, server.url + wire.base_path) as provider:
        received = await receive(provider.stream(asking("¿Qué tal?")))
    assert received.error is None
    assert received.text == "".join(pieces)
    assert [type(delta).__name__ for delta in received.deltas[-2:]] == ["UsageReport", "Finish"]
    assert received.usage is not None
    assert (received.usage.input, received.usage.output) == (INPUT_TOKENS, len(pieces))


async def test_characters_survive_being_cut_by_their_server(wire: Wire, server: ScriptedServer) -> None:
    """One event ends with the escape of half a character, a later one begins with the other half."""
    cut = {b"<": rb"\ud83d", b">": rb"\ude00"}
    events = answer(wire, ["Yes <", ">! ", "<", "", ">"])
    for mark, half in cut.items():
        events = [event.replace(mark, half) for event in events]
    server.script(Answer(events))
    async with opened(wire, server.url + wire.base_path) as provider:
        received = await receive(provider.stream(asking("Well?")))
    assert (received.error, received.text) == (None, "Yes 😀! 😀")


@pytest.mark.parametrize("streams", [True, False])
async def test_counts_that_are_null_are_no_account(wire: Wire, server: ScriptedServer, streams: bool) -> None:
    """The answer is whole, and nobody says that it cost nothing."""
    body = b"".join(answer(wire, ["Yes"])) if streams else wire.whole("Yes", 5)
    nulls = re.sub(rb'("(?:prompt|completion|input|output)_tokens"): \d+', rb"\1: null", body)
    assert nulls != body
    server.script(Answer([nulls]))
    async with opened(wire, server.url + wire.base_path, streams=streams) as provider:
        received = await receive(provider.stream(asking("Well?")))
    assert (received.error, received.text, received.usage) == (None, "Yes", None)
    assert len(received.finishes) == 1


async def test_calls_side_by_side_need_no_number(server: ScriptedServer) -> None:
    """Some servers of OpenAI's protocol send none, or null, or the same for all, and some fields as null."""
    wire = OpenAIWire()
    whole = b"".join(wire.rich("Yes"))
    numbers = {
        "none": re.sub(rb'"index": \d, ("id"|"function")', rb"\1", whole),
        "null": re.sub(rb'"index": \d, ("id"|"function")', rb'"index": null, \1', whole),
        "the same": whole.replace(b'"index": 1', b'"index": 0'),
        "null beside": whole.replace(b'"choices": []', b'"choices": null'),
    }
    for body in numbers.values():
        assert body != whole
        server.script(Answer([body]))
        async with opened(wire, server.url + wire.base_path) as provider:
            received = await receive(provider.stream(asking("Well?")))
        assert received.error is None
        calls = [delta for delta in received.deltas if isinstance(delta, ToolCallDelta)]
        assert calls == [ToolCallDelta(name, name, '{"at": 1}') for name in CALLED]


async def test_a_line_of_two_megabytes_is_taken(wire: Wire, server: ScriptedServer) -> None:
    """A long line is no failure."""
    piece = "é" * 1_000_000
    server.script(Answer(answer(wire, [piece, "!"])))
    async with opened(wire, server.url + wire.base_path) as provider:
        received = await receive(provider.stream(asking("Say much.")))
    assert received.error is None
    assert received.text == piece + "!"


async def test_a_line_without_end_is_refused(wire: Wire, server: ScriptedServer) -> None:
    """Past the bound a line is not collected any further, and the connection is closed."""
    endless: list[Step] = [b"data: " + b"x" * 1_000_000] + [b"x" * 1_000_000] * (MAX_EVENT // 1_000_000)
    server.script(Answer([*endless, "stall"]))
    async with opened(wire, server.url + wire.base_path) as provider:
        received = await receive(provider.stream(asking("Say much.")))
        await asyncio.wait_for(server.abandoned.wait(), 10)
    assert isinstance(received.error, errors.MalformedStream)


async def test_closing_the_stream_closes_the_connection(wire: Wire, server: ScriptedServer) -> None:
    """The server sees that nobody listens any more."""
    server.script(Answer([*answer(wire, ["Yes", "No"])[:2], "stall"]))
    async with opened(wire, server.url + wire.base_path) as provider:
        async with aclosing(provider.stream(asking("Well?"))) as stream:
            assert await anext(stream) == TextDelta("Yes")
        await asyncio.wait_for(server.abandoned.wait(), 10)


@pytest.mark.parametrize("begun", [True, False], ids=["between tokens", "before the first token"])
async def test_cancelling_the_reader_closes_the_connection(
    wire: Wire, server: ScriptedServer, begun: bool
) -> None:
    """A task that is cancelled while it waits for a token leaves no connection behind."""
    server.script(Answer([*answer(wire, ["Yes"])[: 2 if begun else 1], "stall"]))
    token = asyncio.Event()

    async def read() -> None:
        async for _ in provider.stream(asking("Well?")):
            token.set()

    async with opened(wire, server.url + wire.base_path) as provider:
        reader = asyncio.create_task(read())
        await asyncio.wait_for((token if begun else server.asked).wait(), 10)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await asyncio.wait_for(server.abandoned.wait(), 10)


async def test_a_connection_is_used_again(wire: Wire, server: ScriptedServer) -> None:
    """An answer that was read to its end leaves its connection to the next prompt."""
    server.script(Answer(answer(wire, ["Yes"])))
    async with opened(wire, server.url + wire.base_path) as provider:
        for _ in range(3):
            received = await receive(provider.stream(asking("Well?")))
            assert received.error is None
    assert [request.connection for request in server.requests] == [1, 1, 1]


async def test_a_connection_waits_for_who_reads_first(wire: Wire, server: ScriptedServer) -> None:
    """Longer than the SDKs keep one by themselves: the next turn of a talk does not begin with a new connection."""
    server.script(Answer(answer(wire, ["Yes"])))
    async with opened(wire, server.url + wire.base_path) as provider:
        await receive(provider.stream(asking("Well?")))
        await asyncio.sleep(_LONGER_THAN_THE_SDKS)
        received = await receive(provider.stream(asking("And?")))
    assert received.error is None
    assert [request.connection for request in server.requests] == [1, 1]


async def test_a_connection_that_was_closed_meanwhile_is_no_failure(
    wire: Wire, server: ScriptedServer
) -> None:
    """Kept here, closed there, while nobody looked or with the prompt on its way: another is made, and nobody waits."""
    yes = answer(wire, ["Yes"])
    server.script(Answer(yes), Answer(["cut"], status=None), Answer(yes))
    async with opened(wire, server.url + wire.base_path, replace(PATIENT, retries=1)) as provider:
        await receive(provider.stream(asking("Well?")))
        received = await receive(provider.stream(asking("And?")))
    assert received.error is None
    assert received.text == "Yes"
    assert [request.connection for request in server.requests] == [1, 1, 2]


async def test_silence_before_the_status_times_out(wire: Wire, server: ScriptedServer) -> None:
    """The limit for the first token counts from the request, and the connection is closed."""
    server.script(Answer(["stall"], status=None))
    async with opened(wire, server.url + wire.base_path, replace(PATIENT, first_token=0.2)) as provider:
        received = await receive(provider.stream(asking("Well?")))
        await asyncio.wait_for(server.abandoned.wait(), 10)
    assert isinstance(received.error, errors.TimedOut)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[1]", b'{"da', b'{"data": [{}]}'])
async def test_what_is_no_list_of_models_is_malformed(
    wire: Wire, server: ScriptedServer, body: bytes
) -> None:
    """An address that leads to some other server gives an error of ours."""
    server.script(Answer([body], headers={"content-type": "application/json"}))
    async with opened(wire, server.url + wire.base_path) as provider:
        with pytest.raises(errors.MalformedStream):
            await provider.models()


async def test_keep_alives_are_no_tokens(wire: Wire, server: ScriptedServer) -> None:
    """A server that only says that it is alive runs into the limit for the first token."""
    server.script(Answer([wire.opening(), *[wire.keep_alive()] * 20, "stall"]))
    async with opened(wire, server.url + wire.base_path, replace(PATIENT, first_token=0.3)) as provider:
        received = await receive(provider.stream(asking("Well?")))
    assert isinstance(received.error, errors.TimedOut)
    assert "first token" in received.error.detail


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("overloaded_error", errors.Overloaded),
        ("rate_limit_error", errors.RateLimited),
        ("invalid_request_error", errors.BadRequest),
        ("something_new", errors.Overloaded),
    ],
)
async def test_an_error_inside_the_stream_is_told(
    wire: Wire, server: ScriptedServer, kind: str, expected: type[errors.ProviderError]
) -> None:
    """An error that comes after the status has said 200 is mapped like one that came before."""
    server.script(Answer([*answer(wire, ["Yes"])[:2], wire.error(kind, "No."), wire.closing(1)]))
    async with opened(wire, server.url + wire.base_path) as provider:
        received = await receive(provider.stream(asking("Well?")))
    assert type(received.error) is expected
    assert received.text == "Yes"
    assert not received.finishes


async def test_an_answer_that_is_whole_needs_no_goodbye(wire: Wire, server: ScriptedServer) -> None:
    """Once the model has said why it stopped, a broken connection takes nothing away."""
    *events, last = answer(wire, ["Yes", "."])
    closing = last.split(b"\n\n")
    # The last event of the protocol, `[DONE]` or `message_stop`, does not come.
    server.script(Answer([*events, b"\n\n".join([*closing[:-2], b""]), "cut"]))
    async with opened(wire, server.url + wire.base_path) as provider:
        received = await receive(provider.stream(asking("Well?")))
    assert received.error is None
    assert received.text == "Yes."
    assert [finish.reason for finish in received.finishes] == ["stop"]


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
async def test_an_error_never_shows_the_key(wire: Wire, server: ScriptedServer, status: int) -> None:
    """A provider that quotes the key back does not get it into a sentence or a traceback."""
    body = wire.refusal("some_error", f"Incorrect API key provided: {KEY}.")
    server.script(Answer([body], status, {"content-type": "application/json"}))
    async with opened(wire, server.url + wire.base_path) as provider:
        received = await receive(provider.stream(asking("Well?")))
    assert received.error is not None
    assert KEY in server.requests[0].headers["authorization"]
    assert KEY not in "".join(traceback.format_exception(received.error))
    assert KEY not in repr(received.error) + received.error.detail


async def test_nobody_there_is_unreachable(wire: Wire) -> None:
    """A port where nobody listens gives an error of ours, for a stream and for the list of models."""
    async with ScriptedServer() as server:
        url = server.url + wire.base_path
    async with opened(wire, url) as provider:
        received = await receive(provider.stream(asking("Well?")))
        with pytest.raises(errors.Unreachable):
            await provider.models()
    assert isinstance(received.error, errors.Unreachable)


async def test_an_answer_that_is_not_streamed_has_all_of_its_parts(
    wire: Wire, server: ScriptedServer
) -> None:
    """Thinking, text, source, each call, account and reason; and it was asked for without streaming."""
    text = "¿Qué tal? 👩‍👩‍👧" * 1000
    body = wire.whole(text, 5)
    steps = [body[at : at + 997] for at in range(0, len(body), 997)]
    server.script(Answer(steps, headers={"content-type": "application/json"}))
    async with opened(wire, server.url + wire.base_path, streams=False) as provider:
        received = await receive(provider.stream(asking("Well?")))
    assert received.error is None
    *deltas, account, finish = received.deltas
    calls = [ToolCallDelta(name, name, arguments_of(deltas, name)) for name in CALLED]
    assert sorted(deltas, key=repr) == sorted(
        [ReasoningDelta("Hm."), TextDelta(text), CitationDelta(CITED, "A source"), *calls], key=repr
    )
    assert [json.loads(call.arguments) for call in calls] == [{"at": 1}] * len(CALLED)
    assert account == UsageReport(Usage(INPUT_TOKENS, 5, exact=True))
    assert finish == Finish("tool", None)
    asked = json.loads(server.requests[0].body)
    assert (asked["stream"], "stream_options" in asked) == (False, False)


async def test_a_stream_has_all_of_its_parts(wire: Wire, server: ScriptedServer) -> None:
    """Thinking and text piece by piece, in their order and apart; each call once, with its arguments whole."""
    text = "¿Qué tal? 👩‍👩‍👧"
    server.script(Answer(wire.rich(text)))
    async with opened(wire, server.url + wire.base_path) as provider:
        received = await receive(provider.stream(asking("Well?")))
    assert received.error is None
    *deltas, account, finish = received.deltas
    assert [kind for kind, _ in groupby(map(type, deltas))] == [
        ReasoningDelta,
        TextDelta,
        CitationDelta,
        ToolCallDelta,
    ]
    thoughts = [delta.text for delta in deltas if isinstance(delta, ReasoningDelta)]
    assert (thoughts, received.text) == (["H", "m."], text)
    assert [delta for delta in deltas if isinstance(delta, CitationDelta)] == [
        CitationDelta(CITED, "A source")
    ]
    calls = [delta for delta in deltas if isinstance(delta, ToolCallDelta)]
    assert calls == [ToolCallDelta(name, name, '{"at": 1}') for name in CALLED]
    assert account == UsageReport(Usage(INPUT_TOKENS, 5, exact=True))
    assert finish == Finish("tool", None)


def arguments_of(deltas: list[Delta], name: str) -> str:
    """As the one call of this name has them: each protocol spaces them in its own way."""
    [call] = [delta for delta in deltas if isinstance(delta, ToolCallDelta) and delta.name == name]
    return call.arguments


@pytest.mark.parametrize(
    ("cut", "expected"),
    [("cut", errors.Truncated), ("stall", errors.SlowToEnd), (b"", errors.MalformedStream)],
    ids=["broken off", "stalled", "ended early"],
)
async def test_half_of_an_answer_that_is_not_streamed_is_none(
    wire: Wire, server: ScriptedServer, cut: Step, expected: type[errors.ProviderError]
) -> None:
    """Nothing of it is given; it has the time of a whole answer, not that of a first token."""
    half: list[Step] = [wire.whole("Yes", 1)[:40], cut] if cut else [wire.whole("Yes", 1)[:40]]
    server.script(Answer(half, headers={"content-type": "application/json"}))
    limits = replace(PATIENT, first_token=0.05, whole=1.0)
    async with opened(wire, server.url + wire.base_path, limits, streams=False) as provider:
        received = await receive(provider.stream(asking("Well?")))
    assert type(received.error) is expected
    assert not received.deltas


async def test_an_answer_that_is_too_long_to_keep_is_refused(wire: Wire, server: ScriptedServer) -> None:
    """It is collected up to a bound, and then the connection is closed."""
    endless: list[Step] = [b"x" * 1_000_000] * (MAX_EVENT // 1_000_000 + 1)
    server.script(Answer([*endless, "stall"], headers={"content-type": "application/json"}))
    async with opened(wire, server.url + wire.base_path, streams=False) as provider:
        received = await receive(provider.stream(asking("Say much.")))
        await asyncio.wait_for(server.abandoned.wait(), 10)
    assert isinstance(received.error, errors.MalformedStream)


async def test_an_error_in_place_of_an_answer_is_told(wire: Wire, server: ScriptedServer) -> None:
    """Some servers say 200 and then what went wrong."""
    body = wire.refusal("overloaded_error", "No.")
    server.script(Answer([body], headers={"content-type": "application/json"}))
    async with opened(wire, server.url + wire.base_path, streams=False) as provider:
        received = await receive(provider.stream(asking("Well?")))
    assert type(received.error) is errors.Overloaded


async def test_the_request_id_is_kept(wire: Wire, server: ScriptedServer) -> None:
    """The name under which the provider's support finds the request stands in the Finish."""
    header = {"openai": "x-request-id", "anthropic": "request-id"}[wire.kind]
    server.script(Answer(answer(wire, ["Yes"]), headers={header: "req_1"}))
    async with opened(wire, server.url + wire.base_path) as provider:
        received = await receive(provider.stream(asking("Well?")))
    assert [finish.request_id for finish in received.finishes] == ["req_1"]
