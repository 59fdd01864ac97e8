"""Conversations as files: what is taken out comes back as it was, and reads well as Markdown."""

from typing import Any

from tests.support.client import Http, chat
from tests.support.house import House
from tests.support.waiting import wait_until

KEPT = ("role", "text", "status", "created_at", "retracted", "provider", "model", "error", "chosen")


def told(document: dict[str, Any]) -> list[dict[str, Any]]:
    """What has to come back of each message; where it hangs is said by places, not by names."""
    places = {message["id"]: place for place, message in enumerate(document["messages"])}
    return [
        {name: message[name] for name in KEPT}
        | {name: places.get(message[name]) for name in ("parent", "reply_to")}
        for message in document["messages"]
    ]


async def talk(house: House, ada: Http) -> str:
    """A conversation with branches, a failure and something taken back; its id."""
    conversation = await ada.conversation(title="Of *stars*", settings={"temperature": 0.5})
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        first = await device.send(conversation, "say 5 tokens")
        await device.until_end(first["reply"])
        again = await device.ask("regenerate", reply=first["reply"])
        await device.until_end(again["reply"])
        failed = await device.send(conversation, "refuse with 401")
        await device.until_end(failed["reply"])
        gone = await device.send(conversation, "a secret", reply=False)
        await device.ask("retract", message=gone["message"])
    return conversation


async def test_what_is_taken_out_comes_back(house: House, ada: Http, grace: Http) -> None:
    """All branches, times, ends and settings; as somebody else's own conversation, with new ids."""
    conversation = await talk(house, ada)
    document = await ada.get(f"/v1/conversations/{conversation}/export")
    assert (document["format"], document["version"]) == ("tertulia.conversation", 1)
    brought = await grace.post("/v1/conversations/import", document, 201)
    assert (brought["owner"], brought["title"]) == (grace.user, "Of *stars*")
    again = await grace.get(f"/v1/conversations/{brought['id']}/export")
    assert told(again) == told(document)
    assert {m["id"] for m in again["messages"]}.isdisjoint(m["id"] for m in document["messages"])
    assert {m["user"] for m in again["messages"]} == {grace.user, None}
    shown = await grace.messages(brought["id"])
    assert [m["text"] for m in shown] == [m["text"] for m in await ada.messages(conversation)]
    # It goes on like any other, and is found.
    await grace.post(f"/v1/conversations/{brought['id']}/messages", {"text": "And now?", "reply": False}, 202)

    async def found() -> bool:
        return (await grace.get(f"/v1/search?q=refuse&conversation={brought['id']}"))["total"] == 1

    await wait_until(found)


async def test_markdown_is_for_reading(house: House, ada: Http) -> None:
    """The chosen branch: who said what, and nothing that was taken back."""
    conversation = await talk(house, ada)
    response = await ada.client.get(f"/v1/conversations/{conversation}/export?format=markdown")
    assert response.headers["content-type"] == "text/markdown; charset=utf-8"
    assert response.text.startswith("# Of *stars*\n")
    assert f"**{ada.user}** · " in response.text
    assert "say 5 tokens" in response.text
    assert "a secret" not in response.text


async def test_whose_it_is_not_does_not_get_it(ada: Http, grace: Http) -> None:
    """As everywhere."""
    conversation = await ada.conversation()
    assert (await grace.get(f"/v1/conversations/{conversation}/export", 403))["code"] == "forbidden"
    assert (await ada.get(f"/v1/conversations/{conversation}/export?format=pdf", 422))["field"] == "format"


async def test_a_wrong_document_is_refused(ada: Http) -> None:
    """All of it, with the place that is wrong."""
    one = {"id": f"msg_{1:032x}", "role": "user", "text": "Hola", "created_at": "2026-01-01T00:00:00Z"}
    whole = {"created_at": "2026-01-01T00:00:00Z"}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({**whole, "messages": [one, one]}, "messages.1.id"),
        ({**whole, "messages": [{**one, "parent": f"msg_{2:032x}"}]}, "messages.0.parent"),
        ({**whole, "messages": [{**one, "role": "system"}]}, "messages.0.role"),
        ({**whole, "format": "another", "messages": []}, "format"),
        ({**whole}, "messages"),
    ]
    before = (await ada.get("/v1/conversations"))["items"]
    for document, field in wrong:
        problem = await ada.post("/v1/conversations/import", document, 422)
        assert problem["field"] == field
    assert (await ada.get("/v1/conversations"))["items"] == before
