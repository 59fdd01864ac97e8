"""Pages of a list on real MongoDB: every item once, forwards and backwards, also while the list grows."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest
from uuid_utils import uuid7

from server.domain.errors import Invalid
from server.domain.listed import Listed
from server.domain.settings import ReplySettings
from server.storage.database import database
from server.storage.documents import ConversationDocument
from server.storage.lists import Lists
from server.storage.pages import Cut, Page
from tests.support.reading import library, message_of

OWNER = "usr_1"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
async def lists(mongodb_url: str) -> AsyncGenerator[Lists]:
    """Give a database of the test's own."""
    name = f"test_{uuid7().hex}"
    async with database(mongodb_url, name) as client:
        yield Lists()
        await client.drop_database(name)


async def insert(number: int, second: int, owner: str = OWNER) -> str:
    """One conversation, last updated some seconds after noon; its id."""
    document = ConversationDocument(
        id=f"cnv_{number:032x}",
        owner=owner,
        members=[],
        title=str(number),
        character=None,
        settings=ReplySettings(),
        created_at=NOON,
        updated_at=NOON + timedelta(seconds=second),
    )
    await document.insert()
    return document.id


def ids(page: Page[Listed]) -> list[str]:
    """The ids of a page."""
    return [item.id for item in page.items]


async def walk(lists: Lists, limit: int) -> list[list[str]]:
    """All pages, forwards."""
    pages = [await lists.page(OWNER, Cut(limit=limit))]
    while (cursor := pages[-1].next) is not None:
        pages.append(await lists.page(OWNER, Cut(after=cursor, limit=limit)))
    return [ids(page) for page in pages]


@pytest.mark.parametrize("limit", [1, 3, 4, 10, 12, 13])
async def test_every_item_is_on_one_page(lists: Lists, limit: int) -> None:
    """Also where many were updated in the same moment: the id decides; the last page has no next."""
    for number in range(12):
        await insert(number, second=number // 5)
    await insert(99, second=0, owner="usr_2")
    pages = await walk(lists, limit)
    expected = [f"cnv_{number:032x}" for number in reversed(range(12))]
    assert [one for page in pages for one in page] == expected
    assert all(len(page) == limit for page in pages[:-1])
    assert pages[-1]


async def test_backwards_is_the_same_way(lists: Lists) -> None:
    """`previous` leads back over the same pages, and ends where the list begins."""
    for number in range(7):
        await insert(number, second=0)
    forwards = await walk(lists, 3)
    last = await lists.page(OWNER, Cut(limit=3))
    while last.next is not None:
        last = await lists.page(OWNER, Cut(after=last.next, limit=3))
    backwards = [ids(last)]
    while last.previous is not None:
        last = await lists.page(OWNER, Cut(before=last.previous, limit=3))
        backwards.insert(0, ids(last))
    assert backwards == forwards
    assert last.previous is None
    assert last.next is not None


async def test_pages_are_stable_while_the_list_grows(lists: Lists) -> None:
    """What is added at the top neither repeats nor hides anything further down."""
    for number in range(6):
        await insert(number, second=number)
    first = await lists.page(OWNER, Cut(limit=3))
    newest = await insert(6, second=60)
    second = await lists.page(OWNER, Cut(after=first.next, limit=3))
    assert ids(first) + ids(second) == [f"cnv_{number:032x}" for number in reversed(range(6))]
    before = await lists.page(OWNER, Cut(before=second.previous, limit=10))
    assert ids(before)[0] == newest


async def test_an_empty_list_is_one_empty_page(lists: Lists) -> None:
    """It has no cursors."""
    page = await lists.page(OWNER, Cut())
    assert (page.items, page.next, page.previous) == ([], None, None)


@pytest.mark.parametrize(
    "cursor", ["", "x", "nonsense.cnv_1", "-1.cnv_1", "9" * 16 + ".cnv_1", "9" * 15 + ".c", "²."]
)
@pytest.mark.parametrize("name", ["after", "before"])
async def test_a_cursor_of_somewhere_else_is_invalid(lists: Lists, cursor: str, name: str) -> None:
    """The parameter is named; nothing is guessed."""
    with pytest.raises(Invalid) as caught:
        await lists.page(OWNER, Cut(**{name: cursor}))
    assert caught.value.field == name


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 201}, {"before": "1.a", "after": "1.a"}])
def test_a_cut_is_within_bounds(wrong: dict[str, int]) -> None:
    """1 to 200 items, on one side of one cursor."""
    with pytest.raises(Invalid):
        Cut(**wrong)


async def test_a_page_around_a_message_is_no_longer_than_was_asked_for(mongodb_url: str) -> None:
    """At every message and with every limit; from there its cursors lead to all the others, once each."""
    async with library(mongodb_url) as house:
        talk = await house.begin()
        said = [message_of(await house.say(talk, str(number))) for number in range(1, 7)]
        for place, name in enumerate(said, 1):
            for limit in range(1, 8):
                found = await house.reads.around(await house.reads.message(name), limit)
                seen = [message.seq for message in found.items]
                assert place in seen
                assert len(seen) <= limit
                assert place - seen[0] <= (limit - 1) // 2
                older, newer = found.previous, found.next
                while older is not None:
                    page = await house.reads.messages(talk, Cut(before=older, limit=2))
                    seen, older = [message.seq for message in page.items] + seen, page.previous
                while newer is not None:
                    page = await house.reads.messages(talk, Cut(after=newer, limit=2))
                    seen, newer = seen + [message.seq for message in page.items], page.next
                assert seen == [1, 2, 3, 4, 5, 6]
