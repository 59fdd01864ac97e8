"""The history of a conversation in pages, on real MongoDB: the chosen branch, both ways, while people go on talking."""

from collections.abc import AsyncGenerator

import pytest

from server.storage.pages import Cut
from tests.support.reading import Library, library, message_of


@pytest.fixture
async def house(mongodb_url: str) -> AsyncGenerator[Library]:
    """Give a database of the test's own."""
    async with library(mongodb_url) as house:
        yield house


async def backwards(house: Library, conversation: str, limit: int, *, talking: bool = False) -> list[str]:
    """Every message from the newest page up, as somebody sees them who scrolls; the others may go on talking."""
    page = await house.reads.messages(conversation, Cut(limit=limit))
    seen = [message.id for message in page.items]
    while page.previous is not None:
        if talking:
            await house.say(conversation, "meanwhile")
        page = await house.reads.messages(conversation, Cut(before=page.previous, limit=limit))
        seen = [*(message.id for message in page.items), *seen]
    return seen


async def forwards(house: Library, conversation: str, after: str, limit: int) -> list[str]:
    """Every message after a cursor."""
    seen: list[str] = []
    cursor: str | None = after
    while cursor is not None:
        page = await house.reads.messages(conversation, Cut(after=cursor, limit=limit))
        seen += [message.id for message in page.items]
        cursor = page.next
    return seen


@pytest.mark.parametrize("limit", [1, 4, 7, 23, 50])
async def test_pages_are_stable_while_new_messages_arrive(house: Library, limit: int) -> None:
    """Whoever reads upwards sees each message once; what is said meanwhile lies below, and is read from there."""
    conversation = await house.begin()
    said = [message_of(await house.say(conversation, f"message {number}")) for number in range(23)]
    assert await backwards(house, conversation, limit, talking=True) == said
    everything = await backwards(house, conversation, limit)
    assert everything[:23] == said
    first = await house.reads.message(said[0])
    assert await forwards(house, conversation, f"{first.seq}.{first.id}", limit) == everything[1:]


async def test_pages_follow_the_chosen_branch(house: Library) -> None:
    """From the middle of a branch that was left, pages go on along the one that is chosen now: no message twice."""
    conversation = await house.begin()
    said = [message_of(await house.say(conversation, f"message {number}")) for number in range(6)]
    page = await house.reads.messages(conversation, Cut(limit=2))
    new = message_of(await house.edit(conversation, said[2], "said differently"))
    assert page.previous is not None
    above = await house.reads.messages(conversation, Cut(before=page.previous, limit=10))
    assert [message.id for message in above.items] == said[:2]
    assert await backwards(house, conversation, 2) == [*said[:2], new]
    await house.choose(conversation, said[2])
    assert await backwards(house, conversation, 2) == said
