"""Conversations over HTTP: made, listed, changed, deleted, and nobody else's business."""

from typing import Any

import pytest

from tests.support.client import Http, chat
from tests.support.house import House

NOBODY = "cnv_" + "0" * 32


async def pages(http: Http, path: str, limit: int) -> list[dict[str, Any]]:
    """All items of a list, read forwards by its cursors."""
    items, after = [], ""
    while True:
        page = await http.get(f"{path}?limit={limit}{after}")
        items += page["items"]
        if page["next"] is None:
            return items
        after = f"&after={page['next']}"


async def test_a_conversation_lives(house: House, ada: Http) -> None:
    """Made, read, renamed, given settings, deleted; and its followers are told each time."""
    made = await ada.post("/v1/conversations", {"title": "  Of engines "}, status=201)
    path = f"/v1/conversations/{made['id']}"
    assert made["title"] == "Of engines"
    assert await ada.get(path) == made
    async with chat(house.there, ada.token) as device:
        await device.subscribe(made["id"])
        changed = await ada.ask("PATCH", path, {"title": "Of mills", "settings": {"temperature": 0.5}})
        event = await device.event()
        assert (event["type"], event["title"]) == ("conversation.updated", "Of mills")
        assert event["settings"] == {"temperature": 0.5}
        assert changed["settings"]["temperature"] == 0.5
        assert (await ada.get(path))["title"] == "Of mills"
        await ada.ask("DELETE", path, status=204)
        assert (await device.event())["type"] == "conversation.deleted"
        refused = await device.ask("send", conversation=made["id"], text="Hola")
        assert (refused["type"], refused["code"]) == ("error", "not_found")
    assert (await ada.get(path, status=404))["code"] == "not_found"
    assert (await ada.get("/v1/conversations"))["items"] == []


async def test_a_change_that_changes_nothing(house: House, ada: Http) -> None:
    """It is answered with the conversation, which stands where it stood in the list; no event, and nobody is told."""
    conversation = await ada.conversation(title="Of engines", settings={"temperature": 0.5})
    path = f"/v1/conversations/{conversation}"
    before = await ada.get(path)
    async with chat(house.there, ada.token) as device:
        await device.subscribe(conversation)
        for said in ({}, {"title": "Of engines"}, {"settings": {"temperature": 0.5}, "archived": False}):
            assert await ada.ask("PATCH", path, said) == before
        await ada.ask("PATCH", path, {"title": "Of mills"})
        assert (await device.event())["title"] == "Of mills"
    events = (await ada.get(f"{path}/audit"))["items"]
    assert [event["type"] for event in events] == ["conversation.created", "conversation.changed"]


async def test_lists_are_read_in_pages(ada: Http) -> None:
    """The latest first; forwards and backwards, every page is what it should be."""
    made = [await ada.conversation(title=str(number)) for number in range(7)]
    assert [one["id"] for one in await pages(ada, "/v1/conversations", 3)] == made[::-1]
    first = await ada.get("/v1/conversations?limit=3")
    second = await ada.get(f"/v1/conversations?limit=3&after={first['next']}")
    assert first["previous"] is None
    back = await ada.get(f"/v1/conversations?limit=3&before={second['previous']}")
    assert back["items"] == first["items"]
    # Whoever is written to comes first.
    await ada.post(f"/v1/conversations/{made[2]}/messages", {"text": "Hola", "reply": False}, status=202)
    assert (await ada.get("/v1/conversations?limit=1"))["items"][0]["id"] == made[2]


async def test_messages_are_read_in_pages(ada: Http) -> None:
    """Without a cursor the newest page, in conversation order; `previous` leads to what was before."""
    conversation = await ada.conversation()
    path = f"/v1/conversations/{conversation}/messages"
    for number in range(1, 8):
        await ada.post(path, {"text": str(number), "reply": False}, status=202)
    newest = await ada.get(f"{path}?limit=3")
    assert [message["seq"] for message in newest["items"]] == [5, 6, 7]
    assert newest["next"] is None
    older = await ada.get(f"{path}?limit=3&before={newest['previous']}")
    assert [message["seq"] for message in older["items"]] == [2, 3, 4]
    oldest = await ada.get(f"{path}?limit=3&before={older['previous']}")
    assert [message["seq"] for message in oldest["items"]] == [1]
    assert oldest["previous"] is None
    again = await ada.get(f"{path}?limit=3&after={older['next']}")
    assert [message["seq"] for message in again["items"]] == [5, 6, 7]


async def test_a_page_around_a_message(ada: Http) -> None:
    """It has the message in the middle and leads on both ways; at an end, no further; elsewhere there is none."""
    conversation, other = await ada.conversation(), await ada.conversation()
    path = f"/v1/conversations/{conversation}/messages"
    sent = [(await ada.post(path, {"text": str(n), "reply": False}, 202))["message"] for n in range(1, 10)]
    middle = await ada.get(f"{path}?around={sent[4]}&limit=3")
    assert [message["seq"] for message in middle["items"]] == [4, 5, 6]
    newer = await ada.get(f"{path}?after={middle['next']}&limit=9")
    assert [message["seq"] for message in newer["items"]] == [7, 8, 9]
    older = await ada.get(f"{path}?before={middle['previous']}&limit=9")
    assert [message["seq"] for message in older["items"]] == [1, 2, 3]
    first = await ada.get(f"{path}?around={sent[0]}&limit=5")
    assert ([message["seq"] for message in first["items"]], first["previous"]) == ([1, 2, 3], None)
    last = await ada.get(f"{path}?around={sent[-1]}&limit=5")
    assert ([message["seq"] for message in last["items"]], last["next"]) == ([7, 8, 9], None)
    elsewhere = f"/v1/conversations/{other}/messages?around={sent[0]}"
    assert (await ada.get(elsewhere, status=404))["code"] == "not_found"
    both = await ada.get(f"{path}?around={sent[0]}&before=3.", status=422)
    assert both["field"] == "around"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"title": "Mine"}),
        ("DELETE", "", None),
        ("GET", "/messages", None),
        ("POST", "/messages", {"text": "Hola"}),
        ("GET", "/events", None),
    ],
)
async def test_nobody_elses_business(
    ada: Http, grace: Http, method: str, path: str, body: dict[str, str] | None
) -> None:
    """403 for what is somebody else's, 404 for what does not exist."""
    conversation = await ada.conversation()
    others = await grace.ask(method, f"/v1/conversations/{conversation}{path}", body, status=403)
    assert others["code"] == "forbidden"
    nothing = await grace.ask(method, f"/v1/conversations/{NOBODY}{path}", body, status=404)
    assert nothing["code"] == "not_found"


async def test_members_take_part(ada: Http, grace: Http) -> None:
    """A member reads and writes; who takes part, and whether it is deleted, is the owner's to say."""
    conversation = await ada.conversation(members=[grace.user])
    path = f"/v1/conversations/{conversation}"
    await grace.post(f"{path}/messages", {"text": "Hola", "reply": False}, status=202)
    assert [one["id"] for one in (await grace.get("/v1/conversations"))["items"]] == [conversation]
    assert (await grace.ask("PATCH", path, {"title": "Ours"}))["title"] == "Ours"
    assert (await grace.ask("PATCH", path, {"members": []}, status=403))["code"] == "forbidden"
    assert (await grace.ask("DELETE", path, status=403))["code"] == "forbidden"
    await ada.ask("PATCH", path, {"members": []})
    assert (await grace.get(path, status=403))["code"] == "forbidden"
