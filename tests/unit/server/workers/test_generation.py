"""A reply's account, where a worker was lost; and how often its tokens are looked for."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from itertools import pairwise
from typing import cast

import httpx2

from providers.chain import Begins
from providers.config import ProviderConfig
from providers.contract import Delta, Finish, Prompt, TextDelta, Turn
from providers.pacing import paced
from providers.profiles import Profile, profile
from providers.tokens import estimate
from realtime.log.contract import Log
from realtime.log.writer import Publisher
from server.domain.reply import Reply
from server.domain.settings import ReplySettings
from server.storage.database import stopped
from server.workers.generation import Generation
from tests.support.scripted_log import ScriptedLog
from tests.unit.providers.test_pacing import Connection

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEPT = "Ein Kauz sitzt im Gebälk und schweigt. " * 40
MODEL = "gpt-5-mini"


def account(known: Profile | None) -> Generation:
    """A second attempt's, which has asked nobody yet. Its writer is held: nothing of it reaches a log."""
    publisher = Publisher(cast(Log, None))
    writer = publisher.writer("cnv_1", "msg_1", 2, KEPT, held=True)
    return Generation(reply(), writer, lambda: NOW, NOW, KEPT, known)


def reply() -> Reply:
    """One that a worker had before."""
    return Reply(
        id=f"msg_{1:032x}",
        conversation=f"cnv_{1:032x}",
        message=f"msg_{2:032x}",
        user=f"usr_{1:032x}",
        status="running",
        settings=ReplySettings(),
        attempt=1,
        provider="openai",
        model=MODEL,
        created_at=NOW,
    )


def test_what_a_lost_worker_left_is_counted_and_priced() -> None:
    """As the model counts that wrote it, marked as an estimate; the reply's cost has it."""
    known = profile(ProviderConfig("openai", "openai"), MODEL)
    generation = account(known)
    [span] = generation.provenance()
    assert (span.outcome, span.attempt, span.start, span.end) == ("worker_lost", 1, 0, len(KEPT))
    assert span.usage is not None
    assert not span.usage.exact
    assert span.usage.output == estimate([KEPT], known) != -(-len(KEPT) // 4)
    assert span.cost is not None
    assert span.cost > 0
    assert generation.ended(NOW)["cost"] == span.cost


def test_a_model_that_nobody_knows_any_more_is_counted_by_length() -> None:
    """Its provider was taken out of the configuration meanwhile: a guess, and no price."""
    [span] = account(None).provenance()
    assert span.usage is not None
    assert (span.usage.output, span.cost) == (-(-len(KEPT) // 4), None)


class Slowly:
    """Answers token by token, each by a look at a connection; it knows when it looked."""

    name = "openai"

    def __init__(self, tokens: int) -> None:
        """`tokens` is how many."""
        self._tokens = tokens
        self.asked: list[float] = []

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Delta | Begins, None]:
        """Its tokens, as a provider reads them."""
        known = profile(ProviderConfig("openai", "openai"), MODEL)
        yield Begins("openai", prompt.model, known, 0)
        connection = Connection()
        response, number = httpx2.Response(200, extensions={"network_stream": connection}), 0
        with paced(response, lambda: number > 0):
            for number in range(self._tokens):
                await connection.read(64, None)
                yield TextDelta(f"<{number}>")
        self.asked = connection.looked
        yield Finish("stop", None)


async def test_tokens_are_looked_for_as_seldom_as_text_gathers() -> None:
    """After the first, which is told at once: what comes meanwhile is read together, just before it is appended."""
    pause = 0.05
    publisher = Publisher(ScriptedLog(), pause)
    publishing = asyncio.create_task(publisher.run())
    try:
        writer = publisher.writer("cnv_1", "msg_1", 1)
        writer.open(b"{}", b"{}")
        generation, answers = Generation(reply(), writer, lambda: NOW, NOW), Slowly(4)
        await generation.run(answers, Prompt(MODEL, (Turn("user", "?"),)))
        await writer.flush()
    finally:
        await stopped([publishing])
    assert generation.text == "<0><1><2><3>"
    # A look that comes late does not move the next one; but that is never less than half a pause away.
    assert all(later - sooner >= 0.45 * pause for sooner, later in pairwise(answers.asked))


class AtOnce:
    """Answers with everything at once."""

    name = "openai"

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Delta | Begins, None]:
        """A thousand tokens, none of which is waited for."""
        yield Begins("openai", prompt.model, profile(ProviderConfig("openai", "openai"), MODEL), 0)
        for _ in range(1000):
            yield TextDelta("x")
        yield Finish("stop", None)


async def test_what_is_there_is_read_without_a_pause() -> None:
    """However quick a provider is, it is not held up: a pause is for the connection, not for the tokens."""
    publisher = Publisher(cast(Log, None), pause_seconds=3600)
    writer = publisher.writer("cnv_1", "msg_1", 1, held=True)
    generation = Generation(reply(), writer, lambda: NOW, NOW)
    await generation.run(AtOnce(), Prompt(MODEL, (Turn("user", "?"),)))
    assert generation.text == "x" * 1000
