"""Searching through the house: what was said is found a moment later, by those who take part."""

import asyncio

from tests.support.client import Http, chat
from tests.support.house import House
from tests.support.waiting import wait_until


async def until_found(guest: Http, query: str, count: int = 1) -> list[dict[str, object]]:
    """Wait until so many are found; the hits."""
    hits: list[dict[str, object]] = []

    async def enough() -> bool:
        nonlocal hits
        hits = (await guest.get(f"/v1/search?{query}"))["hits"]
        return len(hits) >= count

    await wait_until(enough)
    return hits


async def test_what_was_said_is_found(ada: Http, grace: Http) -> None:
    """By its author, with its conversation's title; by nobody else."""
    conversation = await ada.conversation(title="Stars")
    sent = await ada.post(
        f"/v1/conversations/{conversation}/messages",
        {"text": "The observatory is closed on Mondays", "reply": False},
        202,
    )
    [hit] = await until_found(ada, "q=observat")
    assert (hit["id"], hit["conversation"], hit["title"]) == (sent["message"], conversation, "Stars")
    assert {"text": "observatory", "hit": True} in hit["highlights"]
    assert await grace.get("/v1/search?q=observatory") == {"hits": [], "total": 0}


async def test_a_reply_is_found_by_what_it_says(house: House, ada: Http) -> None:
    """Once it has ended."""
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        reply = (await device.send(conversation, "say 30 tokens"))["reply"]
        await device.until_end(reply)
    [hit] = await until_found(ada, f"q=mañana13&role=assistant&conversation={conversation}")
    assert hit["id"] == reply


async def test_a_conversation_that_is_gone_is_not_found(ada: Http) -> None:
    """From the moment it is deleted, whatever the index still holds."""
    conversation = await ada.conversation()
    await ada.post(f"/v1/conversations/{conversation}/messages", {"text": "a zeppelin", "reply": False}, 202)
    await until_found(ada, "q=zeppelin")
    await ada.ask("DELETE", f"/v1/conversations/{conversation}", status=204)
    assert (await ada.get("/v1/search?q=zeppelin"))["hits"] == []


async def test_wrong_parameters_are_named(ada: Http) -> None:
    """As everywhere."""
    for query, field in (
        ("", "q"),
        ("q=", "q"),
        ("q=a&limit=0", "limit"),
        ("q=a&limit=x", "limit"),
        ("q=a&from=yesterday", "from"),
        ("q=a&role=system", "role"),
        ("q=a&order=random", "order"),
        ("q=a&colour=red", "colour"),
        ("q=a&offset=-1", "offset"),
    ):
        problem = await ada.get(f"/v1/search?{query}", 422)
        assert (problem["code"], problem["field"]) == ("invalid", field)


async def test_replay_and_doctor(house: House, ada: Http) -> None:
    """An operator rebuilds a projection of a running house, and sees that it is up to date."""
    conversation = await ada.conversation()
    await ada.post(f"/v1/conversations/{conversation}/messages", {"text": "a caravel", "reply": False}, 202)
    await until_found(ada, "q=caravel")
    for name in ("search", "transcript"):
        run = await asyncio.to_thread(house.run, "replay", name)
        assert run.returncode == 0, run.stderr
        assert "in its place" in run.stdout
    await until_found(ada, "q=caravel")
    unknown = await asyncio.to_thread(house.run, "replay", "everything")
    assert unknown.returncode == 2
    assert "transcript" in unknown.stderr
    told = await asyncio.to_thread(house.run, "doctor")
    assert "projection search" in told.stdout
    metrics = (await ada.client.get("/metrics")).text
    assert 'tertulia_projection_lag_seconds{projection="search"}' in metrics
