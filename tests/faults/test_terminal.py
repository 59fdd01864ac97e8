"""A terminal whose server dies, or whose log is lost, in mid-reply: each text once, and then it is one's turn again."""

import re
from pathlib import Path

import pytest
from redis.asyncio import Redis

from server.embedded.engines import EngineURLs
from server.embedded.port import free_port
from tests.journeys.test_terminal import Seat, seated
from tests.support.house import House, Process, new_house
from tests.support.talking_model import TalkingModel, spoken
from tests.support.waiting import wait_until

_NOTES = re.compile(r"· reconnecting in [\d.]+ s\n")


async def _lose(house: House, web: Process, how: str) -> None:
    if how == "emptied":
        async with Redis.from_url(house.redis_url) as redis:
            await redis.flushdb()
    else:
        web.kill()
        await web.ended()


@pytest.mark.parametrize("how", ["killed", "emptied"])
async def test_it_goes_on(tmp_path: Path, engines: EngineURLs, model: TalkingModel, how: str) -> None:
    """On a web process that is started again, or from a snapshot; and the next message is answered."""
    house = new_house(tmp_path, engines, model, CHAT_PORT=str(free_port()))
    async with house.worker(), house.web() as web:
        house.here = web.url
        async with seated(house) as seat:
            await seat.until_sees("› ")
            seat.type("say 300 tokens at 100/s")
            await seat.until_sees(spoken(20))
            await _lose(house, web, how)
            if how == "emptied":
                await _goes_on(seat)
            else:
                async with house.web():
                    await _goes_on(seat)


async def _goes_on(seat: Seat) -> None:
    async def is_whole() -> bool:
        await seat.until_sees("\n", seat.seen.count("\n") + 1)
        return spoken(300) in _NOTES.sub("", seat.seen)

    await wait_until(is_whole)
    await seat.until_sees("› ", times=2)
    seat.type("say 4 tokens")
    await seat.until_sees(f"{spoken(4)}\n", times=1)
    assert await seat.leave() == 0
