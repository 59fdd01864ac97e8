"""The list of conversations: its last message, what is unread, what is pinned; live on all of a person's devices."""

import asyncio
from typing import Any

from tests.support.client import Chat, Http, chat
from tests.support.house import House


async def say(guest: Http, conversation: str, text: str) -> str:
    """Send a message that wants no answer; its id."""
    said = {"text": text, "reply": False}
    return (await guest.post(f"/v1/conversations/{conversation}/messages", said, 202))["message"]


async def listed(guest: Http, conversation: str, query: str = "") -> dict[str, Any]:
    """A line of somebody's list."""
    items = (await guest.get(f"/v1/conversations?{query}"))["items"]
    return next(item for item in items if item["id"] == conversation)


async def until_told(device: Chat, count: int = 1, **wanted: Any) -> dict[str, Any]:
    """Read until the list has said so often what is wanted; the last line."""
    while True:
        lines = [frame["item"] for frame in device.heard if frame["type"] == "list.changed"]
        fitting = [line for line in lines if all(line[name] == value for name, value in wanted.items())]
        if len(fitting) >= count:
            return fitting[-1]
        await device.read()


async def test_whoever_has_just_written_sees_it(ada: Http) -> None:
    """The list is never older than an answered send, whatever the projections are doing."""
    first, second = await ada.conversation(), await ada.conversation()
    for number in range(5):
        for conversation in (first, second):
            message = await say(ada, conversation, f"message {number}")
            page = await ada.get("/v1/conversations?limit=2")
            assert page["items"][0]["id"] == conversation
            last = page["items"][0]["last"]
            assert (last["id"], last["text"], last["seq"]) == (message, f"message {number}", number + 1)


async def test_unread_counts_what_others_wrote_after_me(ada: Http, grace: Http) -> None:
    """Reading moves the mark, and never back; what one says oneself is read."""
    conversation = await ada.conversation(members=[grace.user])
    for number in range(3):
        await say(ada, conversation, str(number))
    assert (await listed(ada, conversation))["unread"] == 0
    assert (await listed(grace, conversation))["unread"] == 3
    place = f"/v1/conversations/{conversation}/place"
    assert (await grace.ask("PUT", place, {"read": 2}))["unread"] == 1
    assert (await grace.ask("PUT", place, {"read": 1}))["unread"] == 1
    await say(grace, conversation, "and I say")
    assert (await listed(grace, conversation))["unread"] == 0
    assert (await listed(ada, conversation))["unread"] == 1
    assert (await ada.ask("PUT", place, {"read": 10**30}))["unread"] == 0  # all there is, and no more
    await say(grace, conversation, "and something new")
    assert (await listed(ada, conversation))["unread"] == 1


async def test_pinned_is_each_person_s_own(ada: Http, grace: Http) -> None:
    """It can be asked for apart, and it stays when one reads."""
    conversation = await ada.conversation(members=[grace.user])
    other = await ada.conversation()
    place = f"/v1/conversations/{conversation}/place"
    assert (await ada.ask("PUT", place, {"pinned": True}))["pinned"] is True
    await ada.ask("PUT", place, {"read": 0})
    assert [item["id"] for item in (await ada.get("/v1/conversations?pinned=true"))["items"]] == [
        conversation
    ]
    others = [item["id"] for item in (await ada.get("/v1/conversations?pinned=false"))["items"]]
    assert conversation not in others
    assert other in others
    assert (await listed(grace, conversation))["pinned"] is False
    assert (await ada.ask("PUT", place, {"pinned": False}))["pinned"] is False
    assert (await ada.get("/v1/conversations?pinned=true"))["items"] == []


async def test_only_those_who_take_part_have_a_place(ada: Http, grace: Http) -> None:
    """As everywhere."""
    conversation = await ada.conversation()
    problem = await grace.ask("PUT", f"/v1/conversations/{conversation}/place", {"read": 1}, 403)
    assert problem["code"] == "forbidden"
    problem = await ada.ask("PUT", f"/v1/conversations/{conversation}/place", {"read": -1}, 422)
    assert problem["field"] == "read"
    problem = await ada.get("/v1/conversations?pinned=perhaps", 422)
    assert problem["field"] == "pinned"


async def test_the_list_is_live(house: House, ada: Http, grace: Http) -> None:
    """What is said in any conversation comes to all who take part, wherever they look; so do marks."""
    conversation = await ada.conversation(members=[grace.user])
    async with chat(house.here, grace.token) as here, chat(house.there, grace.token) as there:
        for device in (here, there):
            snapshot = (await device.subscribe(f"list:{grace.user}"))["snapshot"]
            assert [line["id"] for line in snapshot["conversations"]] == [conversation]
        message = await say(ada, conversation, "hello all")
        for device in (here, there):
            line = await until_told(device, unread=1)
            assert (line["id"], line["last"]["id"]) == (conversation, message)
        await grace.ask("PUT", f"/v1/conversations/{conversation}/place", {"read": 1})
        await asyncio.gather(until_told(here, unread=0), until_told(there, unread=0))
        await ada.ask("PATCH", f"/v1/conversations/{conversation}", {"members": []})
        for device in (here, there):
            while not any(f["type"] == "list.removed" and f["item"] == conversation for f in device.heard):
                await device.read()


async def test_a_reply_moves_its_conversation(house: House, ada: Http) -> None:
    """The line has the reply's text once it has ended."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(f"list:{ada.user}")
        reply = (await device.send(conversation, "say 3 tokens"))["reply"]
        line = await until_told(device, unread=1)
        while line["last"]["status"] != "completed":
            await device.read()
            line = await until_told(device, unread=1)
        assert line["last"]["id"] == reply


async def test_a_list_is_one_s_own(house: House, ada: Http, grace: Http) -> None:
    """Nobody follows another's."""
    async with chat(house.here, grace.token) as device:
        answer = await device.ask("subscribe", conversation=f"list:{ada.user}")
        assert (answer["type"], answer["code"]) == ("error", "forbidden")
