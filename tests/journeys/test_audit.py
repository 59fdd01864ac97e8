"""What has happened in a conversation, and on whose request: over HTTP for members, in the shell for operators."""

import asyncio

from tests.journeys.test_branches import ended
from tests.support.client import Http, chat
from tests.support.house import House

_ONES = {"conversation.created", "message.created"}


async def test_everything_goes_back_to_its_request(house: House, ada: Http) -> None:
    """The frame's id is written beside all that it led to, the worker's events too, which name their cause."""
    conversation = await ada.conversation(title="Of engines")
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        sent = await device.ask("send", conversation=conversation, text="say 2 tokens")
        await device.until_end(sent["reply"])
    entries = (await ada.get(f"/v1/conversations/{conversation}/audit"))["items"]
    assert [entry["version"] for entry in entries] == list(range(1, len(entries) + 1))
    by_type = {entry["type"]: entry for entry in entries}
    message, requested = by_type["message.created"], by_type["reply.requested"]
    assert message["data"]["text"] == "say 2 tokens"
    assert (message["actor"], message["form"], message["causation"]) == (ada.user, 2, None)
    assert message["correlation"] == requested["correlation"] == sent["id"]
    for type_ in ("reply.started", "reply.completed"):
        assert by_type[type_]["correlation"] == sent["id"]
        assert by_type[type_]["causation"] == requested["id"]
    assert (await ada.get(f"/v1/replies/{sent['reply']}"))["correlation"] == sent["id"]


async def test_a_request_can_bring_its_own_name(ada: Http) -> None:
    """`X-Request-Id` is kept; without one each request gets a name of its own."""
    conversation = await ada.conversation()
    path = f"/v1/conversations/{conversation}"
    body = {"text": "Hola", "reply": False}
    ada.client.headers["X-Request-Id"] = "from-the-proxy-1"
    await ada.post(f"{path}/messages", body, status=202)
    del ada.client.headers["X-Request-Id"]
    await ada.post(f"{path}/messages", body, status=202)
    entries = (await ada.get(f"{path}/audit"))["items"]
    created, given, taken = (entry["correlation"] for entry in entries if entry["type"] in _ONES)
    assert given == "from-the-proxy-1"
    assert created != taken
    assert created.startswith("req_")
    assert taken.startswith("req_")


async def test_it_is_read_in_pages_by_members_alone(ada: Http, grace: Http) -> None:
    """From the first event on; 403 for everybody else."""
    conversation = await ada.conversation()
    path = f"/v1/conversations/{conversation}/audit"
    for number in range(3):
        body = {"text": str(number), "reply": False}
        await ada.post(f"/v1/conversations/{conversation}/messages", body, status=202)
    first = await ada.get(f"{path}?limit=2")
    second = await ada.get(f"{path}?limit=2&after={first['next']}")
    assert [entry["version"] for entry in (*first["items"], *second["items"])] == [1, 2, 3, 4]
    assert (await ada.get(f"{path}?limit=2&before={second['previous']}"))["items"] == first["items"]
    assert (await grace.get(path, status=403))["code"] == "forbidden"


async def test_what_was_taken_back_is_not_shown_here_either(ada: Http) -> None:
    """The events stay, without the words."""
    conversation = await ada.conversation(title="Of secrets")
    sent = await ada.post(f"/v1/conversations/{conversation}/messages", {"text": "say 3 tokens"}, status=202)
    await ended(ada, sent["reply"])
    for name in ("message", "reply"):
        await ada.ask("DELETE", f"/v1/messages/{sent[name]}", status=204)
    entries = (await ada.get(f"/v1/conversations/{conversation}/audit"))["items"]
    texts = [entry["data"]["text"] for entry in entries if "text" in entry["data"]]
    assert texts == ["", ""]
    assert [entry["type"] for entry in entries][-2:] == ["message.retracted", "message.retracted"]


async def test_operators_compare_events_and_documents(house: House, ada: Http) -> None:
    """`compare` replays them into an empty database, and finds the same; a document that was touched is told."""
    conversation = await ada.conversation()
    sent = await ada.post(f"/v1/conversations/{conversation}/messages", {"text": "say 3 tokens"}, status=202)
    await ended(ada, sent["reply"])
    again = await ada.post(f"/v1/replies/{sent['reply']}/regenerate", status=202)
    await ended(ada, again["reply"])
    compared = await asyncio.to_thread(house.run, "compare", conversation)
    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert compared.stdout.startswith("The same, field by field: ")
