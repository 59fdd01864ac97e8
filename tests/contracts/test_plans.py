"""How the database answers what we ask it: by walking an index, whatever is asked, never by looking at everything."""

import pytest

from tests.benchmarks.reads import plans
from tests.support.reading import ADA, library


@pytest.mark.parametrize("what", ["messages", "conversations", "search"])
async def test_reads_walk_an_index(mongodb_url: str, what: str) -> None:
    """No plan has a scan of a collection; a page of messages is not even sorted."""
    async with library(mongodb_url) as house:
        conversation = await house.begin()
        for number in range(60):
            await house.say(conversation, f"word {number}")
        async with house.following():
            stages = (await plans(house.client, house.name, ADA, conversation))[what]
    assert "COLLSCAN" not in stages
    assert stages & {"IXSCAN", "TEXT_MATCH"}
    if what == "messages":
        assert "SORT" not in stages
