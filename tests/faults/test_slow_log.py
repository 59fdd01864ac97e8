"""A log that does not take what is written: text gathers up to a bound, the model waits, and the clients are told."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from providers.chain import Begins
from providers.config import ProviderConfig
from providers.contract import Delta, Prompt, Provider, TextDelta, Turn
from providers.profiles import profile
from realtime.log.contract import Log, Position
from realtime.log.writer import DraftWriter, Publisher
from server.domain.ids import new_id
from server.domain.reply import Reply
from server.domain.settings import ReplySettings
from server.embedded.engines import EngineURLs
from server.workers import generation as generations
from server.workers.generation import Generation
from tests.support.client import chat, http
from tests.support.house import new_house
from tests.support.private_valkey import PrivateValkey, private_valkey
from tests.support.providers import opened
from tests.support.realtime_engines import RedisEngine, redis_engine
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.talking_model import TalkingModel, spoken
from tests.support.waiting import wait_until
from tests.support.wires import WIRES, answer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PIECE = "ñandú " * 170
PIECES = 300
BOUND = 64 * 1024
MODEL = "owl"
TOKENS, WORDS = 1500, 20
"""Of the house's model: several times what the buffer takes, and more than it takes in five seconds of silence."""


class Watched:
    """Whoever answers, and how many pieces of it have been asked for."""

    name = "house"

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.read = 0

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Delta | Begins, None]:
        """The deltas, counted."""
        yield Begins("house", MODEL, profile(ProviderConfig("house", "openai"), MODEL), 0)
        async with aclosing(self._provider.stream(prompt)) as deltas:
            async for delta in deltas:
                self.read += isinstance(delta, TextDelta)
                yield delta


@asynccontextmanager
async def stalled(valkey: PrivateValkey) -> AsyncIterator[None]:
    """For as long as the body runs, nothing that writes is answered."""
    async with redis_engine(valkey.url) as engine:
        await _pause(engine, "PAUSE", "600000", "WRITE")
        try:
            yield
        finally:
            await _pause(engine, "UNPAUSE")


async def _pause(engine: RedisEngine, *words: str) -> None:
    await engine.commands.execute_command("CLIENT", *words)


@asynccontextmanager
async def writing(log: Log, reply: Reply) -> AsyncIterator[DraftWriter]:
    """A draft that is open in the log, while a publisher runs."""
    publisher = Publisher(log)
    running = asyncio.create_task(publisher.run())
    try:
        writer = publisher.writer(reply.conversation, reply.id, 1)
        writer.open(b'{"type": "reply.started"}', b"{}")
        await writer.flush()
        yield writer
    finally:
        running.cancel()
        await asyncio.wait({running})


@pytest.mark.timeout(60)
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.kind)
async def test_the_model_waits_while_the_buffer_is_full(wire: Any, tmp_path: Path) -> None:
    """What waits has its bound, nothing more is read from the provider, and in the end the text is whole, and told."""
    reply = Reply(
        id=new_id("msg"),
        conversation=new_id("cnv"),
        message=new_id("msg"),
        user=new_id("usr"),
        status="running",
        settings=ReplySettings(),
        created_at=NOW,
    )
    prompt = Prompt(MODEL, (Turn("user", "Go on."),))
    async with (
        ScriptedServer() as server,
        opened(wire, server.url + wire.base_path) as provider,
        private_valkey(tmp_path) as valkey,
        redis_engine(valkey.url) as engine,
    ):
        server.script(Answer(answer(wire, [PIECE] * PIECES)))
        log, answers = engine.log(), Watched(provider)
        async with writing(log, reply) as writer:
            before: Position = (await log.read(reply.conversation, None)).position
            generation = Generation(reply, writer, lambda: NOW, NOW)

            async def full() -> bool:
                return writer.full

            async with stalled(valkey):
                work = asyncio.create_task(generation.run(answers, prompt))
                await wait_until(full)
                read, since = answers.read, time.monotonic()

                async def worth_telling() -> bool:
                    assert answers.read == read, "the provider is read on"
                    return time.monotonic() - since > generations._WORTH_TELLING_SECONDS + 0.2

                await wait_until(worth_telling)
                waiting = generation.text
                assert BOUND < len(waiting) <= BOUND + len(PIECE)
                assert read < PIECES
                assert not work.done()
            await work
            writer.close(b'{"type": "reply.completed"}')
            async with asyncio.timeout(10):
                await writer.flush()
        told = [json.loads(entry.body) for entry in (await log.read(reply.conversation, before)).entries]
    assert generation.text == PIECE * PIECES
    deltas = [event for event in told if event["type"] == "reply.delta"]
    assert "".join(event["text"] for event in deltas) == PIECE * PIECES
    stages = [event for event in told if event["type"] == "reply.progress"]
    assert {event["stage"] for event in stages} == {"delayed"}
    assert "the model with it" in stages[0]["detail"]


@pytest.mark.timeout(120)
async def test_clients_are_told_of_the_delay(
    engines: EngineURLs, model: TalkingModel, tmp_path: Path
) -> None:
    """On the socket: the stage `delayed` in the middle of the reply, and then all of its text, exact."""
    async with private_valkey(tmp_path) as valkey:
        house = new_house(
            tmp_path,
            engines,
            model,
            CHAT_REDIS_URL=valkey.url,
            CHAT_LEASE_SECONDS="60",
            CHAT_REPLY_SECONDS="90",
        )
        async with house.pair() as (web, worker), http(web.url) as ada:
            conversation = await ada.conversation()
            async with chat(web.url, ada.token) as device:
                await device.subscribe(conversation)
                sent = await device.send(conversation, f"say {TOKENS} tokens of {WORDS} words at 1000/s")
                await device.until_text(sent["reply"])
                async with stalled(valkey):
                    await worker.until_says("text gathers")
                end = await device.until_end(sent["reply"])
                stages = [frame for frame in device.heard if frame["type"] == "reply.progress"]
                assert "delayed" in [frame["stage"] for frame in stages]
                assert end["type"] == "reply.completed"
                assert end["length"] == len(spoken(TOKENS, WORDS))
                assert device.reader.texts[sent["reply"]] == spoken(TOKENS, WORDS)
