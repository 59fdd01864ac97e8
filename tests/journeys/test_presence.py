"""Who is here and who types, over both instances of the house."""

from contextlib import AsyncExitStack

from redis.asyncio import Redis

from tests.support.client import Chat, Http, chat
from tests.support.house import House
from tests.support.listener import listening


async def _until(device: Chat, *users: str) -> None:
    """Read until these are here."""
    while True:
        frame = await device.read()
        if frame["type"] == "presence" and frame["users"] == sorted(users):
            assert frame["count"] == len(users)
            return


async def test_who_is_here_across_instances(house: House, ada: Http, grace: Http) -> None:
    """Two devices of one user, an event stream and another user's device elsewhere: two users, then one."""
    conversation = await ada.conversation(members=[grace.user])
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(chat(house.here, ada.token))
        await first.subscribe(conversation)
        second = await stack.enter_async_context(chat(house.there, ada.token))
        await second.subscribe(conversation)
        async with chat(house.there, grace.token) as other:
            await other.subscribe(conversation)
            for device in (first, second, other):
                await _until(device, ada.user, grace.user)
        await _until(first, ada.user)
        async with listening(grace, conversation):
            await _until(first, ada.user, grace.user)


async def test_a_list_has_no_company(house: House, ada: Http) -> None:
    """One's list is followed by oneself alone: nobody is told so, and nothing is kept about it."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(f"list:{ada.user}")
        await device.subscribe(conversation)
        await _until(device, ada.user)
        told = [frame["conversation"] for frame in device.heard if frame["type"] == "presence"]
        assert set(told) == {conversation}
        async with Redis.from_url(house.redis_url) as redis:
            assert await redis.exists(f"presence:{{{conversation}}}")
            assert not await redis.exists(f"presence:{{list:{ada.user}}}")


async def test_who_types_across_instances(house: House, ada: Http, grace: Http) -> None:
    """It begins and ends, and it ends with the socket; who does not follow the conversation cannot type in it."""
    conversation = await ada.conversation(members=[grace.user])
    async with chat(house.here, ada.token) as reader:
        await reader.subscribe(conversation)
        async with chat(house.there, grace.token) as writer:
            refused = await writer.ask("typing", conversation=conversation, on=True)
            assert refused["code"] == "not_subscribed"
            await writer.subscribe(conversation)
            await _until(reader, ada.user, grace.user)
            for on in (True, False, True):
                assert (await writer.ask("typing", conversation=conversation, on=on))["type"] == "noted"
            seen = [await _typing(reader) for _ in range(3)]
            assert [frame["on"] for frame in seen] == [True, False, True]
            assert {frame["user"] for frame in seen} == {grace.user}
        assert not (await _typing(reader))["on"]


async def _typing(device: Chat) -> dict:
    while (frame := await device.read())["type"] != "typing":
        pass
    return frame
