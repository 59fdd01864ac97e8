"""Who is taken out of a conversation hears no more of it, on whichever instance and however it listens."""

import pytest

from tests.support.client import Http, chat
from tests.support.house import House
from tests.support.listener import listening


async def test_a_removed_members_socket_is_turned_away(house: House, ada: Http, grace: Http) -> None:
    """It hears of the change, then that it may not follow any more, then nothing; the socket lives on."""
    conversation = await ada.conversation(members=[grace.user])
    async with chat(house.there, grace.token) as member:
        await member.subscribe(conversation)
        await ada.ask("PATCH", f"/v1/conversations/{conversation}", {"members": []})
        assert (await member.event())["type"] == "conversation.updated"
        while (turned_away := await member.read())["type"] != "error":
            pass
        assert turned_away | {"detail": ""} == {
            "type": "error",
            "code": "forbidden",
            "detail": "",
            "conversation": conversation,
        }
        await ada.post(f"/v1/conversations/{conversation}/messages", {"text": "Alone", "reply": False}, 202)
        before = len(member.heard)
        assert (await member.ask("subscribe", conversation=conversation))["code"] == "forbidden"
        assert [frame["type"] for frame in member.heard[before:]] == ["error"]


async def test_a_removed_members_event_stream_ends(ada: Http, grace: Http) -> None:
    """It is told why, and its connection is closed: coming back would be refused."""
    conversation = await ada.conversation(members=[grace.user])
    async with listening(grace, conversation) as listener:
        await ada.ask("PATCH", f"/v1/conversations/{conversation}", {"members": []})
        while (await listener.read())["type"] != "error":
            pass
        assert listener.heard[-1]["code"] == "forbidden"
        with pytest.raises(StopAsyncIteration):
            await listener.read()


async def test_a_member_leaves(house: House, ada: Http, grace: Http) -> None:
    """By themselves, and are out of it on all their devices, while those who stay go on; the owner cannot leave."""
    conversation = await ada.conversation(members=[grace.user, "usr_somebody"])
    path = f"/v1/conversations/{conversation}"
    async with chat(house.here, grace.token) as member, chat(house.there, ada.token) as owner:
        await member.subscribe(conversation)
        await owner.subscribe(conversation)
        assert (await ada.ask("DELETE", f"{path}/members/me", status=403))["code"] == "forbidden"
        async with listening(grace, conversation) as listener:
            await grace.ask("DELETE", f"{path}/members/me", status=204)
            for read in (member.read, listener.read):
                while (told := await read())["type"] != "error":
                    pass
                assert (told["code"], told["conversation"]) == ("forbidden", conversation)
            with pytest.raises(StopAsyncIteration):
                await listener.read()
        assert (await owner.event())["members"] == ["usr_somebody"]
        await owner.send(conversation, "Without her", reply=False)
        while "message.created" not in owner.reader.types:  # it may come before its answer
            await owner.read()
    assert (await grace.get("/v1/conversations"))["items"] == []
    assert (await grace.get(path, status=403))["code"] == "forbidden"
    assert (await grace.ask("DELETE", f"{path}/members/me", status=403))["code"] == "forbidden"
    entry = (await ada.get(f"{path}/audit"))["items"][1]
    assert (entry["type"], entry["actor"]) == ("conversation.changed", grace.user)


async def test_who_stays_notices_nothing(house: House, ada: Http, grace: Http) -> None:
    """A change of members sends those who still belong to it no snapshot, and loses them no event."""
    conversation = await ada.conversation(members=[grace.user, "usr_somebody"])
    async with chat(house.here, grace.token) as member:
        await member.subscribe(conversation)
        await ada.ask("PATCH", f"/v1/conversations/{conversation}", {"members": [grace.user]})
        await ada.post(
            f"/v1/conversations/{conversation}/messages", {"text": "Still here", "reply": False}, 202
        )
        heard = [(await member.event())["type"] for _ in range(2)]
        assert heard == ["conversation.updated", "message.created"]
