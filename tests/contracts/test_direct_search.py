"""Browsers that search Meilisearch by themselves: each finds what is its user's own, for as long as its token lives."""

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import jwt
import pytest
from meilisearch_python_sdk import AsyncClient
from meilisearch_python_sdk.models.client import Key, KeyCreate
from uuid_utils import uuid7

from server.domain.errors import Unavailable
from server.search.contract import DirectAccess, DirectSearch
from server.search.meilisearch import CALL_SECONDS, SETTINGS, MeiliSearch, key_of
from server.search.tenants import TOKEN_SECONDS, Tenants
from tests.contracts.test_search import ADA, GRACE, document
from tests.support.meilisearch import KEY, StandIn, serving
from tests.support.reading import library, message_of


class Place:
    """A Meilisearch, our engine before it, and browsers."""

    def __init__(self, url: str, engine: MeiliSearch, browser: httpx2.AsyncClient) -> None:
        self.url = url
        self.engine = engine
        self.tenants = Tenants(engine.client, engine.live, f"{url}/")
        self._browser = browser

    async def ask(self, access: DirectAccess, token: str | None = None, **more: Any) -> httpx2.Response:
        """Search for the moon, as a browser would."""
        wanted = {"q": "moon", "page": 1, "hitsPerPage": 20, **more}
        headers = {"Authorization": f"Bearer {token or access.token}"}
        return await self._browser.post(
            f"{access.url}/indexes/{access.index}/search", json=wanted, headers=headers
        )

    async def finds(self, access: DirectAccess, **more: Any) -> list[str]:
        """The messages that are found, in the order of their ids."""
        answer = await self.ask(access, **more)
        assert answer.status_code == 200, answer.text
        return sorted(hit["id"] for hit in answer.json()["hits"])

    async def make_key(self, name: str, actions: list[str], indexes: list[str]) -> Key:
        """As an operator does."""
        return await self.engine.client.create_key(KeyCreate(name=name, actions=actions, indexes=indexes))


@asynccontextmanager
async def stand_in() -> AsyncGenerator[tuple[str, str]]:
    """Serve the stand-in: its address and its master key."""
    server = StandIn()
    async with serving(server) as url:
        yield url, KEY
    assert server.faults == [], server.faults


@asynccontextmanager
async def real_server() -> AsyncGenerator[tuple[str, str]]:
    """The one that `CHAT_TEST_MEILISEARCH_URL` names; its key must be one that makes keys."""
    yield os.environ["CHAT_TEST_MEILISEARCH_URL"].rstrip("/"), os.environ["CHAT_TEST_MEILISEARCH_KEY"]


SERVERS = {"stand-in": stand_in}
if {"CHAT_TEST_MEILISEARCH_URL", "CHAT_TEST_MEILISEARCH_KEY"} <= set(os.environ):
    SERVERS["server"] = real_server


@pytest.fixture(params=sorted(SERVERS))
async def place(request: pytest.FixtureRequest) -> AsyncGenerator[Place]:
    """Give a place with an empty index of the test's own."""
    async with AsyncExitStack() as stack:
        url, key = await stack.enter_async_context(SERVERS[request.param]())
        client = await stack.enter_async_context(AsyncClient(url, key, timeout=CALL_SECONDS))
        browser = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False))
        engine = MeiliSearch(client, f"test_{uuid7().hex}")
        await engine.prepare("live")
        yield Place(url, engine, browser)
        for one in (await client.get_keys(limit=1000)).results:
            if one.indexes == [engine.live]:
                await client.delete_key(one.uid)
        for index in (engine.live, f"{engine.live}_next"):
            await client.delete_index_if_exists(index)


async def test_each_finds_what_is_their_own(place: Place) -> None:
    """Whatever filter they add themselves."""
    shared = document(3, "our moon", readers=(ADA, GRACE))
    await place.engine.put([document(1, "my moon"), document(2, "her moon", readers=(GRACE,)), shared])
    mine, hers, nobodys = [await place.tenants.admit(one) for one in (ADA, GRACE, "usr_nobody")]
    assert [len(await place.finds(one)) for one in (mine, hers, nobodys)] == [2, 2, 0]
    assert await place.finds(mine, filter=f'reader_keys = "{key_of(GRACE)}"') == [shared.id]
    assert await place.finds(mine, filter=[f'user_key = "{key_of(GRACE)}"']) == []


async def test_nothing_is_told_of_who_else_may_find_it(place: Place) -> None:
    """What is shown is what a client shows; readers are not."""
    await place.engine.put([document(1, "our moon", readers=(ADA, GRACE))])
    answer = (await place.ask(await place.tenants.admit(ADA))).json()
    assert GRACE not in str(answer)
    assert key_of(GRACE) not in str(answer)
    [hit] = answer["hits"]
    assert {name for name in hit if not name.startswith("_")} == set(SETTINGS["displayedAttributes"])


async def test_a_token_that_is_not_ours_finds_nothing(place: Place) -> None:
    """Signed with another key, with none, for another key or index, with another filter, or out of date."""
    await place.engine.put([document(1, "moon", readers=(GRACE,))])
    access, key = await place.tenants.admit(ADA), await place.tenants.key()
    claims = jwt.decode(access.token, key.key, algorithms=["HS256"])
    assert claims["searchRules"] == {access.index: {"filter": f'reader_keys = "{key_of(ADA)}"'}}
    free = claims | {"searchRules": {"*": {}}}
    head, _, signature = access.token.split(".")
    forged = [
        jwt.encode(free, "a" * 64),
        jwt.encode(free, KEY * 3),
        jwt.encode(free, None, algorithm="none"),
        f"{head}.{jwt.encode(free, 'b' * 64).split('.')[1]}.{signature}",
        jwt.encode(free | {"apiKeyUid": "00000000-0000-4000-8000-000000000000"}, key.key),
        jwt.encode(claims | {"searchRules": {"another": {}}}, key.key),
        jwt.encode(claims | {"exp": datetime.now(UTC) - timedelta(seconds=1)}, key.key),
        access.token[:-2],
        "x",
    ]
    for token in forged:
        assert (await place.ask(access, token)).status_code == 403, token
    assert await place.finds(access) == []


async def test_a_token_searches_and_does_nothing_else(place: Place) -> None:
    """Neither documents nor settings nor keys, and no other index than the one that answers."""
    await place.engine.prepare("next")
    access = await place.tenants.admit(ADA)
    headers = {"Authorization": f"Bearer {access.token}"}
    async with httpx2.AsyncClient(base_url=access.url, headers=headers, trust_env=False) as browser:
        for path in (f"/indexes/{access.index}/settings", "/keys", "/version"):
            assert (await browser.get(path)).status_code == 403
        wanted = {"filter": 'conversation = "x"', "fields": ["text"], "offset": 0, "limit": 1}
        fetched = await browser.post(f"/indexes/{access.index}/documents/fetch", json=wanted)
        assert fetched.status_code == 403
    assert (await place.ask(access.model_copy(update={"index": f"{access.index}_next"}))).status_code == 403


async def test_a_token_lives_for_ten_minutes(place: Place) -> None:
    """It says so itself, and whoever has it is told the same."""
    access = await place.tenants.admit(ADA)
    left = (access.expires_at - datetime.now(UTC)).total_seconds()
    assert TOKEN_SECONDS - 30 < left <= TOKEN_SECONDS
    claims = jwt.decode(access.token, (await place.tenants.key()).key, algorithms=["HS256"])
    assert claims["exp"] == access.expires_at.timestamp()
    assert access.url == place.url


async def test_all_processes_sign_with_one_key(place: Place) -> None:
    """Which may search, and only that; where two made one each at the same moment, they agree from then on."""
    others = [Tenants(place.engine.client, place.engine.live, place.url) for _ in range(2)]
    first = await place.tenants.key()
    assert (first.actions, first.indexes, first.expires_at) == (["search"], [place.engine.live], None)
    assert [(await one.key()).uid for one in others] == [first.uid] * 2
    assert first.name is not None
    await place.make_key(first.name, ["documents.add"], first.indexes)
    twin = await place.make_key(first.name, first.actions, first.indexes)
    assert twin.uid != first.uid
    assert (await Tenants(place.engine.client, place.engine.live, place.url).key()).uid == first.uid


async def test_a_swap_changes_nothing_for_who_has_a_token(place: Place) -> None:
    """The index that answers keeps its name."""
    access = await place.tenants.admit(ADA)
    await place.engine.prepare("next")
    said = document(2, "new moon")
    await place.engine.put([said], "next")
    await place.engine.swap()
    assert await place.finds(access) == [said.id]


async def test_a_key_that_may_not_make_keys_is_unavailable(place: Place) -> None:
    """The operator is told by the doctor; nobody gets a token."""
    made = await place.make_key("other", ["search"], [place.engine.live])
    async with AsyncClient(place.url, made.key, timeout=CALL_SECONDS) as client:
        direct: DirectSearch = Tenants(client, place.engine.live, place.url)
        with pytest.raises(Unavailable):
            await direct.admit(ADA)


async def test_nobody_is_let_in_to_an_index_that_shows_its_readers(place: Place) -> None:
    """One of an earlier version, or one that is not there yet: from its rebuild on there are tokens."""
    index = place.engine.client.index(place.engine.live)
    await place.engine.client.wait_for_task((await index.update_displayed_attributes(["*"])).task_uid)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await place.tenants.admit(ADA)
    with pytest.raises(Unavailable):
        await Tenants(place.engine.client, "nowhere", place.url).admit(ADA)
    await place.engine.prepare("next")
    await place.engine.swap()
    assert await place.finds(await place.tenants.admit(ADA)) == []


async def test_who_has_left_finds_nothing_more(place: Place, mongodb_url: str) -> None:
    """With the token that she had before; who comes in finds what was said."""
    async with library(mongodb_url) as house:
        house.search_with(place.engine)
        async with house.following("search"):
            conversation = await house.begin(members=[GRACE])
            said = message_of(await house.say(conversation, "moon", GRACE))
            gone = message_of(await house.say(conversation, "moon"))
            await house.until_followed("search")
            access = await place.tenants.admit(GRACE)
            assert await place.finds(access) == sorted([said, gone])
            await house.retract(conversation, gone)
            await house.until_followed("search")
            assert await place.finds(access) == [said]
            await house.change(conversation, members=[])
            await house.until_followed("search")
            assert await place.finds(access) == []
            await house.change(conversation, members=[GRACE])
            await house.until_followed("search")
            assert await place.finds(access) == [said]
