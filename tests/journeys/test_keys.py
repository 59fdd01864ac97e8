"""What is left in Redis after people have been there: nothing that lives for ever, but for what is said to."""

from redis.asyncio import Redis

from realtime.lifetimes import PERMANENT
from tests.support.client import Http, chat
from tests.support.house import House
from tests.support.listener import listening
from tests.support.waiting import wait_until


async def test_every_key_has_a_time_to_live(house: House, ada: Http) -> None:
    """After sends, replies, a stop, somebody who types and an event stream; other tests have left theirs as well."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device, listening(ada, conversation) as stream:
        await stream.read()
        await device.subscribe(conversation)
        await device.ask("typing", conversation=conversation, on=True)
        done = await device.send(conversation, "say 20 tokens at 400/s")
        await device.until_end(done["reply"])
        stopped = await device.send(conversation, "say 5 tokens, then fall silent")
        await device.until_text(stopped["reply"])
        await device.ask("cancel", reply=stopped["reply"])
        await device.until_end(stopped["reply"])
        async with Redis.from_url(house.redis_url) as redis:
            await wait_until(lambda: redis.exists(f"presence:{{{conversation}}}"))  # it is said in batches
            lives = {key.decode(): await redis.ttl(key) async for key in redis.scan_iter(count=1000)}
    assert any(key.startswith(f"log:{{{conversation}}}") for key in lives)
    # -1 is for ever; -2, gone since it was listed.
    assert [key for key, seconds in lives.items() if seconds == -1 and not key.startswith(PERMANENT)] == []
