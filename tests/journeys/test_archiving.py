"""A message that is put away: kept for people, and for nobody else, until it is taken out again."""

from typing import Any

import httpx2
import pytest

from tests.journeys.test_branches import watching
from tests.support.client import Http, chat, http
from tests.support.house import House
from tests.support.talking_model import spoken
from tests.support.waiting import wait_until


async def told(ada: Http, house: House, conversation: str, text: str) -> list[str]:
    """Say something more; what the model was told before it."""
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        sent = await device.send(conversation, text)
        await device.until_end(sent["reply"])
    (asked,) = house.model.requests_for(text)
    return [turn["content"] for turn in asked["messages"]][:-1]


async def test_it_is_kept_and_no_model_reads_it(ada: Http, house: House) -> None:
    """For those who watch, for those who come, and for the next answers, the last of which has it again."""
    conversation = await ada.conversation()
    async with watching(house.here, ada.token, conversation) as one:
        first = await one.device.send(conversation, f"say 3 tokens ({conversation})")
        await one.device.until_end(first["reply"])
        answer = await one.device.ask("archive", message=first["message"])
        assert answer | {"id": ""} == {
            "type": "archived",
            "id": "",
            "message": first["message"],
            "archived": True,
        }
        await one.until(f"say 3 tokens ({conversation})", spoken(3))
        assert [message["archived"] for message in one.follower.path] == [True, False]
        stored = await ada.messages(conversation)
        assert [(m["text"], m["archived"], m["turns"]) for m in stored] == [
            (f"say 3 tokens ({conversation})", True, 1),
            (spoken(3), False, 0),
        ]
        assert await told(ada, house, conversation, f"say 2 tokens ({conversation})") == [spoken(3)]
        again = await ada.post(f"/v1/messages/{first['message']}/archive", {})  # and nothing happens
        assert (again["archived"], again["turns"]) == (True, 1)
        out = await ada.post(f"/v1/messages/{first['message']}/archive", {"archived": False})
        assert (out["archived"], out["turns"]) == (False, 2)
    seen = await told(ada, house, conversation, f"say 1 tokens ({conversation})")
    assert seen[:2] == [f"say 3 tokens ({conversation})", spoken(3)]
    events = (await ada.get(f"/v1/conversations/{conversation}/audit"))["items"]
    assert [e["data"]["archived"] for e in events if e["type"] == "message.archived"] == [True, False]


async def test_no_search_finds_it_and_no_list_shows_it(ada: Http) -> None:
    """Until it is taken out again."""
    conversation = await ada.conversation()
    path = f"/v1/conversations/{conversation}/messages"
    before = await ada.post(path, {"text": "The heron stands still.", "reply": False}, status=202)
    last = await ada.post(path, {"text": "The kingfisher dives.", "reply": False}, status=202)

    async def found(word: str) -> list[str]:
        hits = (await ada.get(f"/v1/search?q={word}&conversation={conversation}"))["hits"]
        return [hit["id"] for hit in hits]

    async def shows(word: str, wanted: list[str]) -> bool:
        return await found(word) == wanted

    async def last_in_list() -> str:
        return (await ada.get("/v1/conversations?limit=1"))["items"][0]["last"]["id"]

    await wait_until(lambda: shows("kingfisher", [last["message"]]))
    await ada.post(f"/v1/messages/{last['message']}/archive", {"archived": True})
    await wait_until(lambda: shows("kingfisher", []))
    assert await last_in_list() == before["message"]
    assert await found("heron") == [before["message"]]
    await ada.post(f"/v1/messages/{last['message']}/archive", {"archived": False})
    await wait_until(lambda: shows("kingfisher", [last["message"]]))
    assert await last_in_list() == last["message"]


async def test_who_may_and_what_may_not(ada: Http, house: House) -> None:
    """Whoever takes part may put away; what is being made, taken back, or somebody else's stays as it is."""
    async with http(house.here) as grace, http(house.here) as stranger:
        await grace.become_guest("Grace")
        await stranger.become_guest("Mallory")
        me = await grace.get("/v1/me")
        conversation = await ada.conversation(members=[me["id"]])
        path = f"/v1/conversations/{conversation}/messages"
        sent = await ada.post(path, {"text": "say 400 tokens at 20/s"}, status=202)

        async def put(who: Http, message: str, status: int) -> Any:
            return await who.post(f"/v1/messages/{message}/archive", {"archived": True}, status=status)

        assert (await put(ada, sent["reply"], 409))["code"] == "not_ended"
        await ada.post(f"/v1/replies/{sent['reply']}/cancel", status=202)
        assert (await put(grace, sent["message"], 200))["archived"] is True
        assert (await put(stranger, sent["message"], 403))["code"] == "forbidden"
        assert (await put(ada, "msg_" + "0" * 32, 404))["code"] == "not_found"

        async def stopped() -> bool:
            return (await ada.get(f"/v1/replies/{sent['reply']}"))["status"] == "cancelled"

        await wait_until(stopped)
        for method, route in (
            ("PATCH", f"/v1/messages/{sent['message']}"),
            ("POST", f"/v1/replies/{sent['reply']}/regenerate"),
        ):
            body = {"text": "x"} if method == "PATCH" else {}
            assert (await ada.ask(method, route, body, status=409))["code"] == "archived"
        await ada.ask("DELETE", f"/v1/messages/{sent['message']}", status=204)
        refused = await ada.post(f"/v1/messages/{sent['message']}/archive", {"archived": False}, status=409)
        assert refused["code"] == "retracted"


@pytest.mark.parametrize("form", ["json", "markdown"])
async def test_it_leaves_with_its_conversation(ada: Http, house: House, form: str) -> None:
    """As JSON it comes back as it left; in Markdown, which is to be read, it is not."""
    conversation = await ada.conversation(title="Birds")
    path = f"/v1/conversations/{conversation}/messages"
    sent = [
        await ada.post(path, {"text": text, "reply": False}, status=202) for text in ("Heron.", "Kingfisher.")
    ]
    await ada.post(f"/v1/messages/{sent[0]['message']}/archive", {})
    headers = {"Authorization": f"Bearer {ada.token}"}
    async with httpx2.AsyncClient(base_url=house.here, headers=headers, trust_env=False) as client:
        answer = await client.get(f"/v1/conversations/{conversation}/export?format={form}")
    if form == "markdown":
        assert "Kingfisher." in answer.text
        assert "Heron." not in answer.text
        return
    brought = await ada.post("/v1/conversations/import", answer.json(), status=201)
    back = await ada.messages(brought["id"])
    assert [(m["text"], m["archived"]) for m in back] == [("Heron.", True), ("Kingfisher.", False)]
    out = await ada.post(f"/v1/messages/{back[0]['id']}/archive", {"archived": False})
    assert out["archived"] is False
