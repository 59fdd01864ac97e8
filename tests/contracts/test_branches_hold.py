"""What must hold of the branches of a conversation, whatever is done to it in whatever order it is told."""

import asyncio
import json
import random
import subprocess
from collections.abc import Callable, Coroutine, Generator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from server.storage.comparison import Comparison
from tests.support.folding import folded
from tests.support.following import Follower, Message
from tests.support.random_talk import VERBS, Talk, talking

_SCRIPT = Path(__file__).parents[1] / "support" / "transcripts.mjs"
BUSY = ("queue", "reject", "interrupt")
QUICK = settings(
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # each step costs transactions: no time to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
STEPS = st.lists(st.tuples(st.sampled_from(VERBS), st.integers(0, 9_999)), min_size=12, max_size=40)
_SHOWN = ("id", "seq", "text", "status", "parent", "siblings", "retracted", "archived")
_ACCOUNT = ("cost", "timing")
_UNTOLD = {"cached": 0, "reasoning": 0}
"""An event leaves out what is nothing."""

Played = Callable[[Callable[[Talk], Coroutine[Any, Any, None]]], None]


@pytest.fixture(scope="module")
def play(mongodb_url: str, redis_url: str) -> Generator[Played]:
    """Give a function that plays one scene on engines which all scenes share."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        talk = runner.run(stack.enter_async_context(talking(mongodb_url, redis_url)))
        yield lambda scene: runner.run(scene(talk))
        runner.run(stack.aclose())


def shown(messages: list[Message]) -> list[dict[str, Any]]:
    """What there is to see of a branch."""
    return [
        {name: message[name] for name in _SHOWN}
        | {name: message.get(name) for name in _ACCOUNT}
        | {"usage": _UNTOLD | usage if (usage := message.get("usage")) else None}
        for message in messages
    ]


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS, busy=st.sampled_from(BUSY), seed=st.integers(0, 999))
def test_a_snapshot_and_what_follows_is_a_fresh_snapshot(
    play: Played, steps: list[tuple[str, int]], busy: str, seed: int
) -> None:
    """Of whoever came at any moment, in Python and in the page's transcript, whatever was told in whatever order."""

    async def scene(talk: Talk) -> None:
        await talk.begin(busy)
        talk.log.holding = False
        began = [await talk.snapshot()]
        for number, (verb, choice) in enumerate(steps):
            await talk.do(verb, random.Random(choice))
            if number % 7 == 3:
                began.append(await talk.snapshot())
        talk.log.holding = False
        await talk.finish(random.Random(seed))
        fresh = await talk.snapshot()
        expected = shown(fresh["snapshot"]["messages"])
        told = [(subscribed, await talk.events(subscribed)) for subscribed in began]
        for subscribed, events in told:
            follower = Follower(subscribed)
            for event in events:
                follower.take(event)
            assert follower.head == fresh["snapshot"]["head"]
            assert shown(follower.path) == expected
        for transcript in await asyncio.to_thread(transcripts, told):
            assert transcript["missing"] is None
            assert shown(transcript["messages"]) == expected

    play(scene)


@settings(QUICK, max_examples=15)
@given(steps=STEPS, after=STEPS, seed=st.integers(0, 999))
def test_what_was_committed_and_never_told_is_in_the_next_snapshot(
    play: Played, steps: list[tuple[str, int]], after: list[tuple[str, int]], seed: int
) -> None:
    """Whatever dies between the two: who comes after that sees what is stored, and what follows fits on it."""

    async def scene(talk: Talk) -> None:
        await talk.begin()
        for verb, choice in steps:
            await talk.do(verb, random.Random(choice))
        talk.log.held.clear()
        talk.log.holding = False
        subscribed = await talk.snapshot()
        for verb, choice in after:
            await talk.do(verb, random.Random(choice))
            talk.log.holding = False
        await talk.finish(random.Random(seed))
        fresh = await talk.snapshot()
        follower = Follower(subscribed)
        for event in await talk.events(subscribed):
            follower.take(event)
        assert follower.head == fresh["snapshot"]["head"]
        assert shown(follower.path) == shown(fresh["snapshot"]["messages"])

    play(scene)


def test_an_end_that_is_stored_and_was_not_told_is_none_yet(play: Played) -> None:
    """Whoever comes between the two sees a reply in flight, as its draft was, and nothing of what it came to."""

    async def scene(talk: Talk) -> None:
        await talk.begin()
        talk.log.holding = False
        chance = random.Random(7)
        while not any(text for _, text in talk.running.values()):
            await talk.do("work" if await talk.reads.line(talk.conversation) else "say", chance)
        (reply, (_, text)) = next(iter(talk.running.items()))
        await talk.store_end(reply)
        messages = (await talk.snapshot())["snapshot"]["messages"]
        [shown_now] = [message for message in messages if message["id"] == reply]
        assert (shown_now["status"], shown_now["text"]) == ("running", text)
        assert [shown_now[name] for name in ("usage", *_ACCOUNT)] == [None, None, None]

    play(scene)


def transcripts(told: list[tuple[dict[str, Any], list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """What the JavaScript client makes of the same."""
    lines = "\n".join(json.dumps({"subscribed": s, "events": events}) for s, events in told)
    ran = subprocess.run(
        ["node", _SCRIPT], input=lines, capture_output=True, text=True, check=True, timeout=60
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


@settings(QUICK, max_examples=20)
@given(steps=STEPS, busy=st.sampled_from(BUSY))
def test_the_state_that_is_decided_on_is_the_fold_of_the_events(
    play: Played, steps: list[tuple[str, int]], busy: str
) -> None:
    """Conversation and tree as they are stored, and as the events say by themselves, one after the other."""

    async def scene(talk: Talk) -> None:
        await talk.begin(busy)
        for verb, choice in steps:
            await talk.do(verb, random.Random(choice))
            talk.log.held.clear()  # crashed before it was told: what is stored does not know
        talk.log.holding = False
        state, version = await talk.reads.conversation_at(talk.conversation)
        tree = await talk.reads.tree(talk.conversation)
        events = [stored.event async for stored in talk.store.replay(talk.conversation)]
        assert version == len(events)
        assert (state, tree) == folded(events)
        assert [p.id for p in tree.places.values() if p.chosen] == _walk(state.head, tree)

    play(scene)


def _walk(head: str | None, tree: Any) -> list[str]:
    path: list[str] = []
    while head is not None:
        path.append(head)
        head = tree.places[head].parent
    return path[::-1]


def test_ten_thousand_events_make_the_same_documents(play: Played, chance: random.Random) -> None:
    """Replayed into an empty database and compared field by field; and one that was touched is found."""

    async def scene(talk: Talk) -> None:
        await talk.begin("queue")
        version = 0
        while version < 500:
            await talk.do(chance.choice(VERBS), chance)
            talk.log.holding = False
            _, version = await talk.reads.conversation_at(talk.conversation)
        for copy in range(19):
            await talk.copied(str(copy))
        events = 20 * version
        compared = [one async for one in Comparison(talk.client, talk.name).run()]
        assert sum(one.events for one in compared) >= events
        assert [d for one in compared for d in one.differences] == []
        touched = {"_id": (await talk.reads.conversation(talk.conversation)).head}
        await talk.client[talk.name]["messages"].update_one(touched, {"$set": {"text": "somebody was here"}})
        (one,) = [found async for found in Comparison(talk.client, talk.name).run([talk.conversation])]
        assert [(d.collection, d.document, d.field) for d in one.differences] == [
            ("messages", touched["_id"], "text")
        ]
        left = [name for name in await talk.client.list_database_names() if name.startswith(talk.name)]
        assert left == [talk.name]

    play(scene)
