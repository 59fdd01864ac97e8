"""What is stored follows from the events alone: replayed into an empty database, they make the same documents."""

from random import Random

import pytest

from server.storage.comparison import Comparison
from tests.support.chaos import sized
from tests.support.random_talk import VERBS, talking

EVENTS = sized(600, 10_000)
STEPS = 150
"""What is done in one conversation, before another is begun."""


@pytest.mark.timeout(sized(120, 560))
async def test_the_events_rebuild_the_documents(mongodb_url: str, redis_url: str, chance: Random) -> None:
    """Random commands and workers in many conversations; every field of every document is compared."""
    async with talking(mongodb_url, redis_url) as talk:
        stored, conversations = 0, 0
        while stored < EVENTS:
            await talk.begin(chance.choice(("queue", "reject", "interrupt")))
            for _ in range(STEPS):
                await talk.do(chance.choice(VERBS), chance)
            talk.log.holding = False
            talk.log.held.clear()
            conversations += 1
            stored += (await talk.reads.conversation_at(talk.conversation))[1]
        compared = [one async for one in Comparison(talk.client, talk.name).run([])]
        events, documents = sum(one.events for one in compared), sum(one.documents for one in compared)
        print(f"{events} events of {conversations} conversations, {documents} documents")
        assert (events, len(compared)) == (stored, conversations)
        assert [difference for one in compared for difference in one.differences] == []
