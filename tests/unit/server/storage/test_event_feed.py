"""What comes in one batch of a change stream."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from server.domain.events import MessageRetracted
from server.storage.event_feed import Changes


class _Stream:
    """One change at once, and one more when the loop has gone round a few times."""

    resume_token = None

    def __init__(self) -> None:
        self._told = 0

    async def try_next(self) -> dict[str, Any]:
        self._told += 1
        if self._told == 2:
            for _ in range(3):
                await asyncio.sleep(0)
        if self._told > 2:
            await asyncio.Event().wait()
        event = MessageRetracted(conversation="cnv_1", at=datetime.now(UTC), message=f"msg_{self._told}")
        name, data = f"evt_{self._told}", event.model_dump(mode="json")
        document = {"_id": name, "version": self._told, "type": event.type, "form": event.form, "data": data}
        return {"_id": {"_data": name}, "fullDocument": document}


async def _first_batch(gather_seconds: float) -> tuple[list[str], Any]:
    changes = Changes(_Stream())  # pyright: ignore[reportArgumentType]: the one method that is asked of it
    reading = asyncio.create_task(changes.read())
    try:
        heard = await changes.batch(10, gather_seconds)
        return [fact.id for fact in heard.facts], heard.token
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_events_wait_for_those_that_come_soon_after() -> None:
    """What gathers comes together, and the place is that of the last; without a pause, what is there comes at once."""
    assert await _first_batch(0.0) == (["evt_1"], {"_data": "evt_1"})
    assert await _first_batch(0.1) == (["evt_1", "evt_2"], {"_data": "evt_2"})
