"""What people do to what they said, as search sees it a moment later. One suite for every engine."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from server.queries.search import Search
from server.search.contract import SearchQuery
from server.storage.causal import Causal
from server.storage.event_feed import EventFeed
from tests.support.reading import ADA, GRACE, Library, library, message_of, reply_of
from tests.support.search_engines import SEARCH_ENGINES

LINUS = "usr_linus"


@pytest.fixture(params=sorted(SEARCH_ENGINES))
async def house(request: pytest.FixtureRequest, mongodb_url: str) -> AsyncGenerator[Library]:
    """Give a database of the test's own, searched with each engine in turn, while somebody follows."""
    async with SEARCH_ENGINES[request.param](mongodb_url) as engine, library(mongodb_url) as house:
        house.search_with(engine)
        async with house.following("search"):
            yield house


@pytest.fixture(params=sorted(SEARCH_ENGINES))
async def behind(request: pytest.FixtureRequest, mongodb_url: str) -> AsyncGenerator[Library]:
    """The same, while nobody follows."""
    async with SEARCH_ENGINES[request.param](mongodb_url) as engine, library(mongodb_url) as house:
        house.search_with(engine)
        await house.projections["search"].prepare("live")
        yield house


async def found(house: Library, text: str, reader: str = ADA) -> list[str]:
    """The messages that somebody finds once all is applied, in the order of their ids."""
    await house.until_followed("search")
    answer = await house.engine.search(SearchQuery(reader=reader, text=text))
    assert answer.total == len(answer.hits)
    return sorted(hit.id for hit in answer.hits)


async def test_what_was_taken_back_is_not_found(house: Library) -> None:
    """It alone: what was said before and after it is."""
    conversation = await house.begin()
    messages = [message_of(await house.say(conversation, f"moon {number}")) for number in range(3)]
    assert await found(house, "moon") == sorted(messages)
    await house.retract(conversation, messages[1])
    assert await found(house, "moon") == sorted([messages[0], messages[2]])


async def test_a_reply_that_was_taken_back_is_not_found(house: Library) -> None:
    """It was found once it had ended."""
    conversation = await house.begin()
    reply = reply_of(await house.say(conversation, "What shines at night?", reply=True))
    await house.end(conversation, reply, "The moon does.")
    assert await found(house, "moon") == [reply]
    await house.retract(conversation, reply)
    assert await found(house, "moon") == []


async def test_another_wording_is_found_by_its_own_words_only(house: Library) -> None:
    """The earlier wording, and what came after it, lie on a branch that is not shown."""
    conversation = await house.begin()
    before = message_of(await house.say(conversation, "a lighthouse"))
    old = message_of(await house.say(conversation, "an observatory"))
    after = message_of(await house.say(conversation, "a zeppelin"))
    assert await found(house, "zeppelin") == [after]
    new = message_of(await house.edit(conversation, old, "a planetarium"))
    assert await found(house, "planetarium") == [new]
    assert await found(house, "observatory") == []
    assert await found(house, "zeppelin") == []
    assert await found(house, "lighthouse") == [before]


async def test_the_branch_that_is_chosen_is_found(house: Library) -> None:
    """Whoever goes back to the earlier wording finds it, and what came after it, again."""
    conversation = await house.begin()
    old = message_of(await house.say(conversation, "an observatory"))
    after = message_of(await house.say(conversation, "a zeppelin"))
    new = message_of(await house.edit(conversation, old, "a planetarium"))
    assert await found(house, "planetarium") == [new]
    await house.choose(conversation, old)
    assert await found(house, "planetarium") == []
    assert await found(house, "observatory") == [old]
    assert await found(house, "zeppelin") == [after]


async def test_a_conversation_that_is_gone_is_gone_for_everybody(house: Library) -> None:
    """Others stay."""
    gone, stays = await house.begin(members=[GRACE]), await house.begin(members=[GRACE])
    lost = message_of(await house.say(gone, "moon"))
    kept = message_of(await house.say(stays, "moon"))
    assert await found(house, "moon", GRACE) == sorted([lost, kept])
    await house.delete(gone)
    assert await found(house, "moon", GRACE) == [kept]
    assert await found(house, "moon") == [kept]


async def test_who_leaves_finds_nothing_more(house: Library) -> None:
    """Neither what others said nor what they said themselves; those who stay find all of it."""
    conversation = await house.begin(members=[GRACE])
    messages = [message_of(await house.say(conversation, "moon", user)) for user in (ADA, GRACE)]
    assert await found(house, "moon", GRACE) == sorted(messages)
    await house.change(conversation, members=[])
    assert await found(house, "moon", GRACE) == []
    later = message_of(await house.say(conversation, "moon"))
    assert await found(house, "moon", GRACE) == []
    assert await found(house, "moon") == sorted([*messages, later])


async def test_who_leaves_while_others_speak_finds_nothing_more(house: Library) -> None:
    """Whatever is said just before and just after it, and comes to the index in one batch with it."""
    conversation = await house.begin(members=[GRACE])
    first = message_of(await house.say(conversation, "moon"))
    assert await found(house, "moon", GRACE) == [first]
    before = message_of(await house.say(conversation, "moon"))
    await house.change(conversation, members=[])
    after = message_of(await house.say(conversation, "moon"))
    assert await found(house, "moon", GRACE) == []
    assert await found(house, "moon") == sorted([first, before, after])
    assert await house.engine.readers(conversation) == {ADA: 3}


@pytest.mark.parametrize("at_once", [1, 2, 9])
@pytest.mark.parametrize(
    "members",
    [
        [[], [GRACE]],
        [[GRACE], []],
        [[GRACE], [], [GRACE]],
        [[], [LINUS], [GRACE]],
        [[], [GRACE], [GRACE, LINUS]],
    ],
    ids=lambda members: "-".join("+".join(["ada", *(one[4:] for one in some)]) for some in members),
)
async def test_who_may_read_changes_while_the_index_is_behind(
    behind: Library, members: list[list[str]], at_once: int
) -> None:
    """Messages are indexed for those who take part by then; who comes in or leaves later in the same line of events
    finds all of it, or nothing."""
    first, *changes = members
    conversation = await behind.begin(members=first)
    said = [message_of(await behind.say(conversation, "old moon"))]
    before = [fact async for facts in EventFeed().stored(100) for fact in facts]
    await behind.projections["search"].apply(before, "live")
    said.append(message_of(await behind.say(conversation, "new moon")))
    for people in changes:
        await behind.change(conversation, members=people)
    later = [fact async for facts in EventFeed().stored(100) for fact in facts][len(before) :]
    for start in range(0, len(later), at_once):
        await behind.projections["search"].apply(later[start : start + at_once], "live")
    for reader in (ADA, GRACE, LINUS):
        hits = (await behind.engine.search(SearchQuery(reader=reader, text="moon"))).hits
        assert sorted(hit.id for hit in hits) == (sorted(said) if reader in (ADA, *changes[-1]) else []), (
            reader
        )


async def test_who_comes_in_finds_what_was_said_before(house: Library) -> None:
    """All of it that is still shown."""
    conversation = await house.begin()
    kept, gone = [message_of(await house.say(conversation, "moon")) for _ in range(2)]
    await house.retract(conversation, gone)
    assert await found(house, "moon", GRACE) == []
    await house.change(conversation, members=[GRACE])
    assert await found(house, "moon", GRACE) == [kept]


async def test_what_a_text_says_of_itself_can_be_searched(house: Library) -> None:
    """Its language and its topics are in the index, and so is its mood."""
    conversation = await house.begin()
    spanish = message_of(
        await house.say(conversation, "Los perros corrían por la playa de Málaga, en la luna llena")
    )
    english = message_of(
        await house.say(conversation, "I love this wonderful lighthouse by the moonlit harbour. luna!")
    )
    await house.until_followed("search")

    async def with_filter(**more: str) -> list[str]:
        answer = await house.engine.search(SearchQuery(reader=ADA, text="luna", **more))
        return [hit.id for hit in answer.hits]

    assert await with_filter(language="es") == [spanish]
    assert await with_filter(language="en") == [english]
    answer = await house.engine.search(SearchQuery(reader=ADA, text="luna", language="en"))
    [hit] = answer.hits
    assert hit.topics
    assert hit.sentiment is not None
    assert hit.sentiment > 0
    assert await with_filter(topic=hit.topics[0]) == [english]


async def test_a_rebuild_finds_the_same(house: Library) -> None:
    """From all stored events, after everything that people do."""
    conversation = await house.begin(members=[GRACE])
    old = message_of(await house.say(conversation, "an old moon"))
    await house.say(conversation, "a moon after it")
    new = message_of(await house.edit(conversation, old, "a new moon"))
    gone = message_of(await house.say(conversation, "no moon"))
    await house.retract(conversation, gone)
    await house.change(conversation, members=[])
    assert await found(house, "moon") == [new]
    await house.rebuild("search").run()
    assert await found(house, "moon") == [new]
    assert await found(house, "moon", GRACE) == []


@pytest.mark.parametrize("what", ["taken back", "put away", "left"])
async def test_what_is_gone_is_not_shown_whatever_the_index_still_holds(behind: Library, what: str) -> None:
    """From the moment at which it was taken back, put away, or left for another branch."""
    conversation = await behind.begin()
    kept = message_of(await behind.say(conversation, "old moon"))
    gone = message_of(await behind.say(conversation, "secret moon"))
    facts = [fact async for facts in EventFeed().stored(100) for fact in facts]
    await behind.projections["search"].apply(facts, "live")
    match what:
        case "taken back":
            await behind.retract(conversation, gone)
        case "put away":
            await behind.archive(conversation, gone)
        case _:
            await behind.edit(conversation, gone, "sun")
    board: Any = None  # nobody asks it where all is read from the primary
    search = Search(behind.engine, behind.reads, Causal(behind.client, board, "primary"))
    found = await search(ADA, SearchQuery(reader=ADA, text="moon"))
    assert ([hit.id for hit in found.hits], found.total) == ([kept], 1)
