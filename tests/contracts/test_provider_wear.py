"""A provider, whatever the network makes of an answer: before the server of each column stands one that bends it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

import httpx2
import pytest

from providers.contract import TextDelta
from tests.support.columns import COLUMNS, Column, configured
from tests.support.meddler import Meddler, lengthened, until_piece
from tests.support.model_doubles import Double
from tests.support.providers import PATIENT, asking, receive
from tests.support.scripted_server import Step
from tests.support.waiting import wait_until

_PIECES = 3


@pytest.fixture
async def front(request: pytest.FixtureRequest, column: Column, double: Double) -> AsyncGenerator[Meddler]:
    """Give what stands before the column's server at its best."""
    double.behave()
    behind = request.getfixturevalue("served_at") if column.is_real else double.base_url
    async with Meddler(behind, column.wire) as front:
        yield front


async def test_what_is_handed_on_arrives(column: Column, double: Double, front: Meddler) -> None:
    """The text in its order, to the letter, as the server has said it."""
    async with configured(column, front.base_url) as provider:
        received = await receive(provider.stream(double.prompt))
    assert received.error is None
    assert received.text == front.said != ""
    assert len(received.finishes) == 1


async def test_a_slow_drip_is_no_failure(column: Column, double: Double, front: Meddler) -> None:
    """Tokens that come one by one, each within its limit, may take longer together than any limit but the whole's."""

    def drip(events: list[bytes]) -> Sequence[Step]:
        return [step for event in events for step in (1.5 / len(events), event)]

    front.bend(drip)
    # The meddler reads the whole answer before it begins, and a real one takes its time.
    limits = replace(PATIENT, first_token=60 if column.is_real else 1.0, between_tokens=1.0)
    async with configured(column, front.base_url, limits) as provider:
        received = await receive(provider.stream(double.prompt))
    assert received.error is None
    assert received.text == front.said
    assert len(received.deltas) > _PIECES


async def test_a_line_of_two_megabytes_is_taken(column: Column, double: Double, front: Meddler) -> None:
    """A long line is no failure."""
    front.bend(lengthened("é" * 1_000_000))
    async with configured(column, front.base_url) as provider:
        received = await receive(provider.stream(double.prompt))
    assert received.error is None
    assert len(received.text) == len(front.said) + 1_000_000
    assert received.text == front.sent


async def test_characters_survive_being_cut(column: Column, double: Double, front: Meddler) -> None:
    """A body that comes byte by byte, through every character, gives the text unharmed."""
    more = "¿Qué tal, señora? 日本語 👩‍👩‍👧"

    def crumble(events: list[bytes]) -> Sequence[Step]:
        body = b"".join(step for step in lengthened(more)(events) if isinstance(step, bytes))
        return [body[at : at + 1] for at in range(len(body))]

    front.bend(crumble)
    async with configured(column, front.base_url) as provider:
        received = await receive(provider.stream(double.prompt))
    assert received.error is None
    assert more in received.text
    assert received.text == front.sent
    assert len(received.finishes) == 1
    assert received.usage is not None


@pytest.mark.parametrize("how", ["closing the stream", "cancelling the reader"])
async def test_who_leaves_is_seen(column: Column, double: Double, front: Meddler, how: str) -> None:
    """The server sees its connection closed, in the middle of an answer."""
    front.bend(lambda events: [*until_piece(events, _PIECES), "stall"])
    token = asyncio.Event()

    async def read() -> None:
        async for _ in provider.stream(double.prompt):
            token.set()

    async with configured(column, front.base_url) as provider:
        if how == "closing the stream":
            async with aclosing(provider.stream(double.prompt)) as stream:
                assert isinstance(await anext(stream), TextDelta)
        else:
            reader = asyncio.create_task(read())
            await asyncio.wait_for(token.wait(), 30)
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
        await asyncio.wait_for(front.abandoned.wait(), 30)


@pytest.mark.parametrize("column", [one for one in COLUMNS if one.is_real], ids=str)
async def test_stopping_frees_the_model(column: Column, served_at: str) -> None:
    """When the reader leaves, a real model stops working for nobody: its server says so itself."""
    async with configured(column, served_at) as provider:
        async with aclosing(provider.stream(asking("Tell me a long story.", max_tokens=500))) as stream:
            await anext(stream)
        async with httpx2.AsyncClient(base_url=served_at.removesuffix("/v1")) as client:

            async def idle() -> bool:
                metrics = (await client.get("/metrics")).text
                return "llamacpp:requests_processing 0" in metrics.splitlines()

            await wait_until(idle)
