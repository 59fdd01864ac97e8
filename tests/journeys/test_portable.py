"""Conversations as files: what is taken out comes back as it was, and reads well as Markdown."""

import codecs
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import pytest
from pymongo import AsyncMongoClient

from tests.support.client import Http, chat
from tests.support.house import House
from tests.support.talking_model import spoken
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


async def test_what_came_beside_the_text_comes_back(house: House, ada: Http, grace: Http) -> None:
    """Thoughts, sources, calls of tools and what came of them, for the model too; gone once they are taken back."""
    look = {"name": "look", "description": "Look.", "parameters": {"type": "object"}}
    conversation = await ada.conversation(settings={"tools": [look]})
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        called = (await device.send(conversation, "say 3 tokens, use look with {}"))["reply"]
        await device.until_end(called)
        results = {"results": [{"id": "call_1", "output": "say 4 tokens, as was found"}]}
        goes_on = (await ada.post(f"/v1/replies/{called}/tool-results", results, 202))["reply"]
        await device.until_end(goes_on)
    document = await ada.get(f"/v1/conversations/{conversation}/export")
    reply = document["messages"][1]
    assert [call["name"] for call in reply["tool_calls"]] == ["look"]
    assert reply["tool_results"] == results["results"]
    beside = {"reasoning": "Hm.", "citations": [{"url": "https://a.example/", "title": "A", "quote": "a"}]}
    reply |= beside
    document["messages"][0] |= beside  # of a person: not believed
    brought = await grace.post("/v1/conversations/import", document, 201)
    asked, came, _ = await grace.messages(brought["id"])
    names = (*beside, "tool_calls", "tool_results")
    assert {name: came[name] for name in names} == {name: reply[name] for name in names}
    assert (asked["reasoning"], asked["citations"]) == (None, [])
    async with chat(house.here, grace.token) as device:
        await device.subscribe(brought["id"])
        await device.until_end((await device.send(brought["id"], "say 2 tokens of it"))["reply"])
    [prompt] = house.model.requests_for("say 2 tokens of it")
    assert any(said["role"] == "tool" and "as was found" in said["content"] for said in prompt["messages"])
    await grace.ask("DELETE", f"/v1/messages/{came['id']}", status=204)
    trail = (await grace.get(f"/v1/conversations/{brought['id']}/audit"))["items"]
    [event] = [item for item in trail if item["data"].get("message") == came["id"] and "text" in item["data"]]
    assert not any(event["data"][name] for name in names)
    again = await grace.get(f"/v1/conversations/{brought['id']}/export")
    assert not any(again["messages"][1][name] for name in names)


async def test_what_was_brought_in_is_answered_again(house: House, ada: Http, grace: Http) -> None:
    """A reply that was made elsewhere has other versions like any; who asks with the same key again asks once."""
    document = await ada.get(f"/v1/conversations/{await talk(house, ada)}/export")
    brought = await grace.post("/v1/conversations/import", document, 201)
    reply = (await grace.messages(brought["id"]))[1]
    wanted = {"key": "again"}
    sent = await grace.post(f"/v1/replies/{reply['id']}/regenerate", wanted, 202)
    again = await grace.post(f"/v1/replies/{reply['id']}/regenerate", wanted, 202)
    assert again == {**sent, "duplicate": True}
    assert sent["message"] == reply["reply_to"]
    async with chat(house.here, grace.token) as device:
        await device.subscribe(brought["id"])
        await device.until_end(sent["reply"])
    assert (await grace.message(brought["id"], sent["reply"]))["text"] == spoken(5)


async def test_markdown_is_for_reading(house: House, ada: Http, grace: Http) -> None:
    """The chosen branch: who said what, by name where it is known, and nothing that was taken back."""
    conversation = await talk(house, ada)
    await ada.ask("PATCH", f"/v1/conversations/{conversation}", {"members": [grace.user]})
    await grace.post(f"/v1/conversations/{conversation}/messages", {"text": "So I see.", "reply": False}, 202)
    response = await ada.client.get(f"/v1/conversations/{conversation}/export?format=markdown")
    assert response.headers["content-type"] == "text/markdown; charset=utf-8"
    assert response.text.startswith("# Of *stars*\n")
    name = (await ada.get("/v1/me"))["name"]
    assert name != ada.user
    assert f"**{name}** · " in response.text
    assert ada.user not in response.text
    assert f"**{grace.user}** · " in response.text
    assert "say 5 tokens" in response.text
    assert "a secret" not in response.text


async def test_a_file_is_named_after_its_conversation(ada: Http) -> None:
    """What people call it, where that can name a file; a client that reads no RFC 6266 has the id."""
    names: list[str | None] = []
    for title in ("¿Faros? /etc\\..", "a" * 300 + "é", "…", "../..", ""):
        conversation = await ada.conversation(title=title[:200])
        response = await ada.client.get(f"/v1/conversations/{conversation}/export?format=markdown")
        plain, _, shown = response.headers["content-disposition"].partition("; filename*=UTF-8''")
        assert plain == f'attachment; filename="{conversation}.md"'
        names.append(unquote(shown) or None)
    assert names == ["¿Faros etc.md", f"{'a' * 180}.md", "….md", None, None]


async def test_a_file_that_begins_with_a_byte_order_mark(ada: Http) -> None:
    """As editors and shells of some systems write it: it is no part of the JSON."""
    document = await ada.get(f"/v1/conversations/{await ada.conversation(title='Marked')}/export")
    path, headers = "/v1/conversations/import", {"Content-Type": "application/json"}
    marked = json.dumps(document).encode("utf-8-sig")
    brought = await ada.client.post(path, content=marked, headers=headers)
    assert (brought.status_code, brought.json()["title"]) == (201, "Marked")
    twice = await ada.client.post(path, content=codecs.BOM_UTF8 + marked, headers=headers)
    assert (twice.status_code, twice.json()["code"]) == (400, "bad_json")


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


async def test_more_versions_than_a_message_may_have_are_refused(ada: Http) -> None:
    """Each lists all the others: a few thousand of them would be millions of names, out of one small file."""

    def versions(how_many: int) -> dict[str, Any]:
        one = {"role": "user", "text": "Hola", "created_at": "2026-01-01T00:00:00Z"}
        messages = [{**one, "id": f"msg_{place:032x}"} for place in range(how_many)]
        return {"created_at": "2026-01-01T00:00:00Z", "messages": messages}

    problem = await ada.post("/v1/conversations/import", versions(101), 422)
    assert (problem["code"], problem["field"]) == ("invalid", "messages.100.parent")
    brought = await ada.post("/v1/conversations/import", versions(100), 201)
    [shown] = await ada.messages(brought["id"])
    assert len(shown["siblings"]) == 100


def long_talk(messages: int, characters: int) -> dict[str, Any]:
    """A document of so many messages, one after the other, each of so many characters."""
    one = {"role": "user", "text": "x" * characters, "created_at": "2026-01-01T00:00:00Z"}
    names = [f"msg_{place:032x}" for place in range(messages)]
    parents = [None, *names]
    said = [{**one, "id": name, "parent": parent} for name, parent in zip(names, parents, strict=False)]
    return {"created_at": "2026-01-01T00:00:00Z", "messages": said}


async def test_as_much_as_may_be_brought_in_is(ada: Http) -> None:
    """5,000 messages that fill 16 MiB: one transaction of the database that comes with us takes them."""
    brought = await ada.post("/v1/conversations/import", long_talk(5_000, 2_800), 201)
    assert brought["last_seq"] == 5_000


async def test_what_the_database_cannot_take_at_once_is_too_large(ada: Http, mongodb_url: str) -> None:
    """A database with a smaller cache says so: it is no use to try the same again, and nothing was stored."""
    before = (await ada.get("/v1/conversations"))["items"]
    async with a_small_cache(mongodb_url):
        problem = await ada.post("/v1/conversations/import", long_talk(5_000, 2_800), 413)
    assert problem["code"] == "too_large"
    assert "retry_after" not in problem
    assert (await ada.get("/v1/conversations"))["items"] == before


@pytest.mark.parametrize("citations", [0, 1_000])
async def test_a_message_that_no_database_takes_is_too_large(ada: Http, citations: int) -> None:
    """All 16 MiB in one, which with all that stands around it is more than a document may have; or far more."""
    document = long_talk(2, 1)
    call = {"id": "", "name": "", "arguments": "x" * (16_741 - citations // 40)}
    document["messages"][1] |= {
        "role": "assistant",
        "tool_calls": [call] * 1_000,
        "citations": [{"url": ""}] * citations,
    }
    problem = await ada.post("/v1/conversations/import", document, 413)
    assert (problem["code"], problem["detail"][:12]) == ("too_large", "This is more")
    assert (await ada.get("/v1/conversations"))["items"] == []


@asynccontextmanager
async def a_small_cache(url: str) -> AsyncGenerator[None]:
    """What may be changed in the cache of the database, as in one that is a sixteenth as large."""
    async with AsyncMongoClient[dict[str, Any]](url) as client:

        async def may_change(percent: int) -> None:
            marks = f"eviction_dirty_trigger={percent},eviction_updates_trigger={percent}"
            await client.admin.command("setParameter", 1, wiredTigerEngineRuntimeConfig=marks)

        await may_change(5)
        try:
            yield
        finally:
            await may_change(80)
