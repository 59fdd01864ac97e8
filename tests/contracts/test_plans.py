"""How the database answers what we ask it: by walking an index, whatever is asked, never by looking at everything."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from server.search.contract import SearchQuery
from server.storage.lists import Lists
from server.storage.pages import Cut
from server.storage.summaries import Summaries
from tests.support.plans import overhear, plan_of
from tests.support.reading import ADA, Library, library

SAID = 60

READS: dict[str, Callable[[Library, str], Awaitable[Any]]] = {
    "the newest page": lambda house, talk: house.reads.messages(talk, Cut(limit=20)),
    "a page": lambda house, talk: house.reads.messages(talk, Cut(before="30.msg_", limit=20)),
    "the list": lambda house, talk: Lists().page(ADA, Cut(limit=20)),
    "a word": lambda house, talk: house.engine.search(SearchQuery(ADA, "word ")),
    "an unfinished word": lambda house, talk: house.engine.search(SearchQuery(ADA, "wor")),
    "a phrase": lambda house, talk: house.engine.search(SearchQuery(ADA, '"word 7"')),
    "in one conversation": lambda house, talk: house.engine.search(SearchQuery(ADA, "word ", talk)),
    "pinned ones": lambda house, talk: Lists().page(ADA, Cut(limit=20), pinned=True),
    "archived ones": lambda house, talk: Lists().page(ADA, Cut(limit=20), archived=True),
    "a line of the list": lambda house, talk: Lists().one(ADA, talk),
    "what somebody sent": lambda house, talk: house.reads.sent(talk, ADA, "key"),
    "what was regenerated": lambda house, talk: house.reads.regenerated(talk, "key"),
    "what was named since": lambda house, talk: house.reads.named_since(talk, 50, 64),
    "the audit trail": lambda house, talk: house.reads.events(talk, Cut(limit=20)),
    "the tree": lambda house, talk: house.reads.tree(talk),
    "all of it": lambda house, talk: house.reads.all_messages(talk),
    "what texts say": lambda house, talk: house.reads.about_texts(talk),
    "how many before": lambda house, talk: house.reads.how_many_before(talk, "msg_", 50, chosen=True),
    "somebody's characters": lambda house, talk: house.reads.characters(ADA, Cut(limit=20)),
    "what is shown of some": lambda house, talk: house.reads.shown_among(["msg_1", "msg_2"]),
    "what is owed": lambda house, talk: house.reads.owed(datetime.now(UTC), None, 20),
    "who finds a conversation": lambda house, talk: house.engine.readers(talk),
    "summaries": lambda house, talk: Summaries().of(talk),
    "what makes summaries void": lambda house, talk: Summaries().changes(talk),
    "how far projections are": lambda house, talk: house.checkpoints.progress(list(house.projections)),
}
"""Everything that is read while people look, each with whatever it really asks."""


@pytest.fixture
async def house(mongodb_url: str) -> AsyncGenerator[Library]:
    """Give a database of the test's own that can be overheard, in which something was said, and was followed."""
    overhear()
    async with library(mongodb_url) as house:
        talk = await house.begin()
        for number in range(SAID):
            await house.say(talk, f"word {number}")
        async with house.following():
            pass  # whoever still follows would be overheard as well
        yield house


async def test_reads_walk_an_index(house: Library) -> None:
    """No plan of what is really asked has a scan of a collection; pages and lists are not even sorted."""
    talk = (await house.rows("conversations"))[0]["_id"]
    for what, read in READS.items():
        plan = await plan_of(house.client, lambda read=read: read(house, talk))
        assert "COLLSCAN" not in plan.stages, (what, plan.stages)
        assert plan.indexes, (what, plan.stages)
        if "page" in what:
            assert "SORT" not in plan.stages, (what, plan.stages)
            assert plan.documents <= 21, (what, plan)
