"""What a model gets to see is never older than the store, whoever reads it, and whatever happens meanwhile."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Generator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from realtime.redis import command_client, subscription_client
from server.cache.levels import Levels
from server.domain.conversation import first_in_line
from server.queries.context import Told
from server.queries.windows import MOST, Passage, Question, Windows, passage
from server.workers.passages import question_of, undisturbed
from tests.support.random_talk import VERBS, Talk, talking

STEPS = st.lists(st.tuples(st.sampled_from(VERBS), st.integers(0, 9_999)), min_size=20, max_size=60)
QUICK = settings(
    deadline=None,
    max_examples=15,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each step costs transactions: no time to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

Scene = Callable[[Talk, list[Windows]], Coroutine[Any, Any, None]]
Played = Callable[[Scene], None]


@pytest.fixture(scope="module")
def play(mongodb_url: str, redis_url: str) -> Generator[Played]:
    """Give a function that plays one scene, with the windows of two processes, on engines which all scenes share."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()

        async def opened() -> tuple[Talk, list[Windows]]:
            talk = await stack.enter_async_context(talking(mongodb_url, redis_url))
            windows: list[Windows] = []
            for _ in range(2):
                commands = await stack.enter_async_context(command_client(redis_url))
                feed = await stack.enter_async_context(subscription_client(redis_url))
                cache = await stack.enter_async_context(Levels(commands, feed).running())
                windows.append(Windows(talk.reads, cache))
            return talk, windows

        talk, windows = runner.run(opened())
        yield lambda scene: runner.run(scene(talk, windows))
        runner.run(stack.aclose())


def seen(passages: list[Passage]) -> list[tuple[object, ...]]:
    """What a model reads of them."""
    return [(p.id, p.role, p.text, p.parent, p.calls, p.results) for p in passages]


async def stored(talk: Talk, last: str) -> list[Passage]:
    """The same, read without any cache."""
    return [passage(message) for message in await talk.reads.branch(await talk.reads.message(last), MOST)]


async def some_message(talk: Talk, chance: random.Random) -> str | None:
    """The head mostly, for that is what is answered; now and then another one, on whatever branch."""
    head = (await talk.reads.conversation(talk.conversation)).head
    if chance.random() < 0.7:
        return head
    places = sorted((await talk.reads.tree(talk.conversation)).places)
    return chance.choice(places) if places else None


@QUICK
@given(steps=STEPS)
def test_a_window_is_what_the_store_says(play: Played, steps: list[tuple[str, int]]) -> None:
    """After every step, in either of two processes: the same as reading the branch without any cache."""

    async def scene(talk: Talk, windows: list[Windows]) -> None:
        await talk.begin()
        for verb, choice in steps:
            chance = random.Random(choice)
            await talk.do(verb, chance)
            talk.log.held.clear()
            last = await some_message(talk, chance)
            if last is None:
                continue
            _, version = await talk.reads.conversation_at(talk.conversation)
            window = await chance.choice(windows)(talk.conversation, version, last)
            assert seen(window) == seen(await stored(talk, last))

    play(scene)


@QUICK
@given(steps=STEPS)
def test_a_worker_goes_on_from_what_it_knows(play: Played, steps: list[tuple[str, int]]) -> None:
    """With what sends left in the queue, and what replies left behind: the same as reading without any cache."""

    async def scene(talk: Talk, windows: list[Windows]) -> None:
        await talk.begin()
        making: dict[str, tuple[Told, int]] = {}
        questions: dict[str, Question] = {}
        for verb, choice in steps:
            chance = random.Random(choice)
            mine = chance.choice(windows)
            state, version = await talk.reads.conversation_at(talk.conversation)
            first = first_in_line({name: opened.seq for name, opened in state.open.items()})
            told: Told | None = None
            if first is not None:
                asked = (await talk.reads.reply(first)).message
                read = await mine(talk.conversation, version, asked, questions.get(asked))
                assert seen(read) == seen(await stored(talk, asked))
                told = Told(version, state.head, "", read)
            before = set(talk.running)
            await talk.do(verb, chance)
            talk.log.held.clear()
            _, now = await talk.reads.conversation_at(talk.conversation)
            for reply in talk.running.keys() - before:
                assert told
                making[reply] = told, now
            for reply in before - talk.running.keys():
                known, claimed = making.pop(reply)
                if undisturbed(known, reply, claimed, version):
                    ended = passage(await talk.reads.message(reply))
                    await mine.ended(talk.conversation, now, known.passages, ended)
            for job in await talk.queue.jobs(f"lane-{talk.name}"):
                if (question := question_of(job.payload)) is not None:
                    questions[question.passage.id] = question

    play(scene)


@QUICK
@given(steps=STEPS, seed=st.integers(0, 9_999))
def test_a_window_is_never_older_than_its_version(
    play: Played, steps: list[tuple[str, int]], seed: int
) -> None:
    """While sends, edits, choices, retractions and replies go on: no message older than before the read began."""

    async def scene(talk: Talk, windows: list[Windows]) -> None:
        await talk.begin()
        done = asyncio.Event()

        async def go_on() -> None:
            for verb, choice in steps:
                await talk.do(verb, random.Random(choice))
                talk.log.held.clear()
            done.set()

        async def read(mine: Windows, chance: random.Random) -> None:
            while not done.is_set():
                last = await some_message(talk, chance)
                if last is None:
                    await asyncio.sleep(0)
                    continue
                before = await stored(talk, last)
                _, version = await talk.reads.conversation_at(talk.conversation)
                window = await mine(talk.conversation, version, last)
                after = await stored(talk, last)
                for was, got, then in zip(seen(before), seen(window), seen(after), strict=True):
                    # A message changes by its end, by results of tools, and by being taken back: never to and fro.
                    assert got in (was, then) or (was[:2] == got[:2] == then[:2] and was != then)

        async with asyncio.TaskGroup() as group:
            group.create_task(go_on())
            for number, mine in enumerate(windows):
                group.create_task(read(mine, random.Random(seed + number)))
        # Whatever the last of them kept: it does not show now.
        last = await some_message(talk, random.Random(seed))
        if last is not None:
            _, version = await talk.reads.conversation_at(talk.conversation)
            for mine in windows:
                window = await mine(talk.conversation, version, last)
                assert seen(window) == seen(await stored(talk, last))

    play(scene)
