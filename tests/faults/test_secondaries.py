"""Pages and lists come from secondaries, of which one is late, or hangs; nobody misses what they have said."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from server.embedded.engines import EngineURLs
from tests.support.client import Chat, Http, chat, http
from tests.support.house import House, new_house
from tests.support.mongo_set import Member, mongo_set
from tests.support.talking_model import TalkingModel, spoken

SENDS = 12


async def finds(member: Member) -> int:
    """How many questions a member has been asked."""
    return (await member.client.admin.command("serverStatus"))["opcounters"]["query"]


async def has(member: Member, house: House, message: str) -> bool:
    """Whether a member has a message by now."""
    messages = member.client[house.environment["CHAT_MONGODB_DATABASE"]]["messages"]
    return await messages.find_one({"_id": message}) is not None


async def sees(reader: Http, conversation: str, message: str, seq: int) -> None:
    """The newest message of a conversation, and of the list, must be this one."""
    page, lines = await asyncio.gather(reader.messages(conversation), reader.get("/v1/conversations?limit=1"))
    last = lines["items"][0]["last"]
    assert (page[-1]["id"], last["id"], last["seq"]) == (message, message, seq)


async def owl(device: Chat, conversation: str, number: int) -> str:
    """Say something; as clients do, once more where three databases are too much for one machine. Its message."""
    said = {"conversation": conversation, "text": f"Owl {number}", "reply": False}
    for _ in range(10):
        answer = await device.ask("send", **said, key=f"owl-number-{number}")
        if answer.get("code") not in {
            "unavailable",
            "overloaded",
        }:  # where nobody has it safe yet: as if many wrote
            break
        await asyncio.sleep(answer["retry_after"])
    assert answer["type"] == "accepted", answer
    return answer["message"]


@pytest.mark.timeout(240)
async def test_nobody_misses_what_they_have_said(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """At once, at another instance, though one of the members that are asked stays behind, and then hangs."""
    async with mongo_set(tmp_path) as members:
        house = new_house(
            tmp_path,
            engines,
            model,
            CHAT_MONGODB_URL=members.url,
            CHAT_READ_PREFERENCE="secondaryPreferred",
        )
        async with (
            house.web() as here,
            house.web() as there,
            house.worker(),
            http(here.url) as ada,
            http(there.url, ada.token) as elsewhere,
            chat(here.url, ada.token) as device,
        ):
            conversation = await ada.conversation()
            await device.subscribe(conversation)

            say = partial(owl, device, conversation)
            before = [await finds(member) for member in (members.prompt, members.late)]
            for number in range(1, SENDS + 1):
                await sees(elsewhere, conversation, await say(number), number)
            after = [await finds(member) for member in (members.prompt, members.late)]
            assert all(more >= less + 5 for more, less in zip(after, before, strict=True))

            async with members.late.behind():
                for number in range(SENDS + 1, 2 * SENDS + 1):
                    message = await say(number)
                    await sees(elsewhere, conversation, message, number)
                    assert not await has(members.late, house, message)
                first = (await elsewhere.messages(conversation))[0]["id"]
                await ada.ask("DELETE", f"/v1/messages/{first}", status=204)
                assert (await elsewhere.messages(conversation))[0]["text"] == ""

            reply = (await device.send(conversation, "say 9 tokens"))["reply"]
            await device.until_end(reply)
            assert (await elsewhere.message(conversation, reply))["text"] == spoken(9)

            members.late.freeze()
            try:
                for number in range(2 * SENDS + 1, 2 * SENDS + 5):
                    message = await say(number)
                    assert (await elsewhere.messages(conversation))[-1][
                        "id"
                    ] == message  # or the client has given up
            finally:
                members.late.thaw()
        assert house.bugs == []
