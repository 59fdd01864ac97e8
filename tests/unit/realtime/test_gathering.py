"""What grows in front of a crowd: few frames, nothing lost, nothing out of order, and the first at once."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import gathering as gathering_module
from realtime.frames import Event, Merged
from realtime.gathering import Gathering
from realtime.hub import Hub
from tests.support.scripted_log import ScriptedFeed, ScriptedLog
from tests.support.scripted_socket import JoinText
from tests.support.subscriber import TOPIC, Client, append, running, turn
from tests.support.waiting import wait_until


def delta(offset: int, reply: str | None, text: str = "x") -> Event:
    """An event; without a reply it merges with none."""
    body = {"type": "delta", "text": text} | ({"reply": reply} if reply else {})
    return Event(TOPIC, offset, json.dumps(body).encode())


async def test_the_first_goes_at_once_and_the_others_together() -> None:
    """One frame now, one at the end of the pause, which holds all that came meanwhile."""
    told: list[Event | Merged] = []
    gathering = Gathering(JoinText(), told.append)
    for offset in range(1, 6):
        gathering.put(delta(offset, "r", str(offset)), 100)
    assert [(one.first, one.offset) for one in told] == [(1, 1)]

    async def all_there() -> bool:
        return told[-1].offset == 5

    await wait_until(all_there)
    assert [(one.first, one.offset) for one in told] == [(1, 1), (2, 5)]
    assert json.loads(told[1].body)["text"] == "2345"


@given(replies=st.lists(st.sampled_from(["r", "s", None]), max_size=30), crowd=st.integers(1, 120))
def test_the_order_stays_and_nothing_is_missing(replies: list[str | None], crowd: int) -> None:
    """Any mixture: frames cover all offsets, one after the other."""

    async def tell() -> list[Event | Merged]:
        told: list[Event | Merged] = []
        gathering = Gathering(JoinText(), told.append)
        for offset, reply in enumerate(replies, 1):
            gathering.put(delta(offset, reply), crowd)
        gathering._flush()
        return told

    told = asyncio.run(tell())
    covered = [offset for one in told for offset in range(one.first, one.offset + 1)]
    assert covered == list(range(1, len(replies) + 1))


async def test_a_crowd_hears_all_of_it_and_so_does_who_comes_in_the_middle(
    log: ScriptedLog, feed: ScriptedFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newcomer that has read more than the crowd was told yet gets the rest, and nothing twice."""
    monkeypatch.setattr(gathering_module, "_SECONDS_EACH", 0.001)

    class Everything(JoinText):
        def key(self, body: bytes) -> str | None:
            return "all"

        def merge(self, bodies: object) -> bytes:
            assert isinstance(bodies, list)
            return b"".join(bodies)

    async with running(Hub(log, feed, Everything(), check_seconds=1000)) as hub:
        crowd = [Crowded(hub) for _ in range(60)]
        for client in crowd:
            await client.begin()
        await append(log, "a")
        await append(log, "b", "c")
        await turn()
        late = Crowded(hub)
        await late.begin()
        await append(log, "d")
        for client in (crowd[0], late):
            await client.until(log)
        assert crowd[0].frames == 2
        assert late.place.offset == 4


class Crowded(Client):
    """A subscriber that takes merged frames, and counts them."""

    frames = 0

    def deliver(self, event: Event | Merged) -> None:
        """See `Subscriber`."""
        self.frames += 1
        assert event.first == self.place.offset + 1, "a hole"
        self.place = type(self.place)(self.place.epoch, event.offset)
        self.bodies.append(event.body)
