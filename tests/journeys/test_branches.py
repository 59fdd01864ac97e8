"""Another answer, another wording, another branch, and taking back: over both doors, for every client alike."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.client import Chat, Http, chat
from tests.support.following import Follower
from tests.support.house import House
from tests.support.talking_model import spoken


class Watcher:
    """A device that shows one branch of a conversation."""

    def __init__(self, device: Chat, follower: Follower) -> None:
        self.device = device
        self.follower = follower
        self._taken = len(device.heard)

    async def until(self, *texts: str, head: str | None = None) -> None:
        """Read until it shows these texts, `head` the last of them, and nothing is in the making."""
        self._follow()
        while not self._shows(list(texts), head):
            await self.device.read()
            self._follow()

    def _shows(self, texts: list[str], head: str | None) -> bool:
        path = self.follower.path
        rest = all(message["status"] not in _GOING for message in path)
        return rest and self.shown == texts and head in (None, self.follower.head)

    def _follow(self) -> None:
        for frame in self.device.heard[self._taken :]:
            if "offset" in frame and frame["type"] != "subscribed":
                self.follower.take(frame)
        self._taken = len(self.device.heard)

    @property
    def shown(self) -> list[str]:
        """The texts of the branch."""
        return [message["text"] for message in self.follower.path]


_GOING = {"queued", "running"}


@asynccontextmanager
async def watching(base_url: str, token: str, conversation: str) -> AsyncIterator[Watcher]:
    """Follow a conversation."""
    async with chat(base_url, token) as device:
        yield Watcher(device, Follower(await device.subscribe(conversation)))


async def texts(http: Http, conversation: str) -> list[str]:
    """The chosen branch, as it is stored."""
    return [message["text"] for message in await http.messages(conversation)]


async def test_another_answer_stands_beside_the_first(house: House, ada: Http, grace: Http) -> None:
    """Asked for over HTTP, seen by all; the first one is kept, and can be chosen again with what followed it."""
    conversation = await ada.conversation(members=[grace.user])
    async with (
        watching(house.here, ada.token, conversation) as one,
        watching(house.there, grace.token, conversation) as other,
    ):
        first = await one.device.send(conversation, "say 5 tokens")
        await one.device.until_end(first["reply"])
        second = await one.device.send(conversation, "say 3 tokens")
        await one.device.until_end(second["reply"])
        settings = {"settings": {"temperature": 0.5}}
        anew = await ada.post(f"/v1/replies/{first['reply']}/regenerate", settings, status=202)
        assert anew["message"] == first["message"]
        await one.until("say 5 tokens", spoken(5), head=anew["reply"])
        await other.until("say 5 tokens", spoken(5), head=anew["reply"])
        shown = other.follower.path[-1]
        assert (shown["id"], shown["siblings"]) == (anew["reply"], [first["reply"], anew["reply"]])
        assert await texts(ada, conversation) == ["say 5 tokens", spoken(5)]

        chosen = await other.device.ask("choose", message=first["reply"])
        assert (chosen["type"], chosen["head"]) == ("chosen", second["reply"])
        whole = ["say 5 tokens", spoken(5), "say 3 tokens", spoken(3)]
        await one.until(*whole)
        await other.until(*whole)
    stored = await ada.messages(conversation)
    assert [message["text"] for message in stored] == whole
    assert [message["seq"] for message in stored] == [1, 2, 3, 4]
    hidden = await grace.get(f"/v1/messages/{anew['reply']}")
    assert (hidden["chosen"], hidden["text"], hidden["seq"]) == (False, spoken(5), 5)
    assert (await ada.get(f"/v1/replies/{anew['reply']}"))["settings"]["temperature"] == 0.5


async def test_another_wording_is_a_branch_with_a_reply_of_its_own(house: House, ada: Http) -> None:
    """What followed the first wording is not in the context of the second, and comes back with it."""
    conversation = await ada.conversation()
    async with watching(house.here, ada.token, conversation) as one:
        first = await one.device.send(conversation, "say 4 tokens")
        await one.device.until_end(first["reply"])
        second = await one.device.send(conversation, f"say 2 tokens ({conversation})")
        await one.device.until_end(second["reply"])
        edited = await one.device.ask(
            "edit", message=second["message"], text=f"say 6 tokens ({conversation})"
        )
        assert edited["type"] == "accepted"
        await one.until("say 4 tokens", spoken(4), f"say 6 tokens ({conversation})", spoken(6))
        assert "message.edited" in one.device.reader.types
        (asked,) = house.model.requests_for(f"say 6 tokens ({conversation})")
        assert [turn["content"] for turn in asked["messages"]] == [
            "say 4 tokens",
            spoken(4),
            f"say 6 tokens ({conversation})",
        ]
        chosen = await ada.post(f"/v1/messages/{second['message']}/choose")
        assert chosen["chosen"] is True
        await one.until("say 4 tokens", spoken(4), f"say 2 tokens ({conversation})", spoken(2))
        again = await ada.post(f"/v1/messages/{second['message']}/choose")
        assert again == chosen
        # What is said now goes on where we are.
        third = await one.device.send(conversation, f"say 1 tokens ({conversation})")
        await one.device.until_end(third["reply"])
    (asked,) = house.model.requests_for(f"say 1 tokens ({conversation})")
    assert [turn["content"] for turn in asked["messages"]][2:4] == [
        f"say 2 tokens ({conversation})",
        spoken(2),
    ]


async def test_the_first_message_can_be_edited_without_a_reply(ada: Http) -> None:
    """A root with a version beside it; `reply: false` wants no answer."""
    conversation = await ada.conversation(title="Of owls")
    sent = await ada.post(
        f"/v1/conversations/{conversation}/messages", {"text": "Hola", "reply": False}, status=202
    )
    path = f"/v1/messages/{sent['message']}"
    edited = await ada.ask("PATCH", path, {"text": "Hola.", "reply": False}, status=202)
    assert edited["reply"] is None
    (only,) = await ada.messages(conversation)
    assert (only["text"], only["parent"], only["siblings"]) == (
        "Hola.",
        None,
        [sent["message"], edited["message"]],
    )


async def test_what_is_taken_back_is_gone_and_its_place_stays(house: House, ada: Http) -> None:
    """For those who watch, for those who come, and for the model."""
    conversation = await ada.conversation()
    async with watching(house.here, ada.token, conversation) as one:
        first = await one.device.send(conversation, "say 4 tokens")
        await one.device.until_end(first["reply"])
        retracted = await one.device.ask("retract", message=first["message"])
        assert (retracted["type"], retracted["message"]) == ("retracted", first["message"])
        await one.until("", spoken(4))
        await ada.ask("DELETE", f"/v1/messages/{first['message']}", status=204)  # and nothing happens
        await ada.ask("DELETE", f"/v1/messages/{first['reply']}", status=204)
        await one.until("", "")
        second = await one.device.send(conversation, f"say 2 tokens ({conversation})")
        await one.device.until_end(second["reply"])
        assert one.device.reader.types.count("message.retracted") == 2
    (asked,) = house.model.requests_for(f"say 2 tokens ({conversation})")
    assert len(asked["messages"]) == 1
    stored = await ada.messages(conversation)
    assert [(m["text"], m["retracted"]) for m in stored[:2]] == [("", True), ("", True)]


async def test_every_verb_can_be_repeated(ada: Http) -> None:
    """Under its key, another answer and another wording happen once."""
    conversation = await ada.conversation()
    path = f"/v1/conversations/{conversation}"
    sent = await ada.post(f"{path}/messages", {"text": "say 2 tokens"}, status=202)
    await ended(ada, sent["reply"])
    wanted = {"key": "again"}
    anew = await ada.post(f"/v1/replies/{sent['reply']}/regenerate", wanted, status=202)
    await ended(ada, anew["reply"])
    assert await ada.post(f"/v1/replies/{sent['reply']}/regenerate", wanted, status=202) == anew | {
        "duplicate": True
    }
    edit = {"text": "say 3 tokens", "key": "differently"}
    edited = await ada.ask("PATCH", f"/v1/messages/{sent['message']}", edit, status=202)
    await ended(ada, edited["reply"])
    assert await ada.ask("PATCH", f"/v1/messages/{sent['message']}", edit, status=202) == edited | {
        "duplicate": True
    }
    other = edit | {"text": "say 4 tokens"}
    problem = await ada.ask("PATCH", f"/v1/messages/{sent['message']}", other, status=409)
    assert problem["code"] == "key_reused"
    problem = await ada.post(f"/v1/replies/{edited['reply']}/regenerate", wanted, status=409)
    assert problem["code"] == "key_reused"
    assert await texts(ada, conversation) == ["say 3 tokens", spoken(3)]


async def test_a_name_that_was_made_of_a_message_goes_with_it(house: House, ada: Http) -> None:
    """For everybody, at once; the next message makes another. A name that somebody gave stays."""
    conversation = await ada.conversation()
    path = f"/v1/conversations/{conversation}"
    async with chat(house.there, ada.token) as device:
        await device.subscribe(conversation)
        secret = await device.send(conversation, "A secret\nof two lines", reply=False)
        assert (await ada.get(path))["title"] == "A secret"
        await device.ask("retract", message=secret["message"])
        assert (await ada.get(path))["title"] == ""
        while device.reader.types.count("conversation.updated") != 2:
            await device.read()
        assert [frame["title"] for frame in device.heard if "title" in frame] == ["A secret", ""]
        other = await device.send(conversation, "Something else", reply=False)
        assert (await ada.get(path))["title"] == "Something else"
        await ada.ask("PATCH", path, {"title": "Of mills"})
        await device.ask("retract", message=other["message"])
        assert (await ada.get(path))["title"] == "Of mills"


@pytest.mark.parametrize(
    ("method", "what", "more", "body"),
    [
        ("PATCH", "message", "", {"text": "Mine"}),
        ("DELETE", "message", "", None),
        ("DELETE", "reply", "", None),
        ("POST", "message", "/choose", None),
        ("GET", "message", "", None),
        ("POST", "reply", "/regenerate", {}),
    ],
)
async def test_nobody_elses_business(
    ada: Http, grace: Http, method: str, what: str, more: str, body: dict[str, str] | None
) -> None:
    """403 for what is somebody else's, 404 for what does not exist."""
    conversation = await ada.conversation()
    sent = await ada.post(f"/v1/conversations/{conversation}/messages", {"text": "say 1 tokens"}, status=202)
    await ended(ada, sent["reply"])
    room = "replies" if more == "/regenerate" else "messages"
    refused = await grace.ask(method, f"/v1/{room}/{sent[what]}{more}", body, status=403)
    assert refused["code"] == "forbidden"
    nothing = await grace.ask(method, f"/v1/{room}/msg_{'0' * 32}{more}", body, status=404)
    assert nothing["code"] == "not_found"


async def test_a_members_words_are_their_own(ada: Http, grace: Http) -> None:
    """Nobody edits another's message; the owner may take it back, another member may not."""
    conversation = await ada.conversation(members=[grace.user])
    path = f"/v1/conversations/{conversation}/messages"
    hers = await grace.post(path, {"text": "Hola", "reply": False}, status=202)
    mine = await ada.post(path, {"text": "¡Hola!", "reply": False}, status=202)
    for message, status in ((mine, 403), (hers, 204)):
        await grace.ask("DELETE", f"/v1/messages/{message['message']}", status=status)
    problem = await ada.ask("PATCH", f"/v1/messages/{hers['message']}", {"text": "x"}, status=403)
    assert problem["code"] == "forbidden"


async def test_what_does_not_fit(house: House, ada: Http) -> None:
    """A reply in the making is neither asked for again nor taken back; what is gone is not edited."""
    conversation = await ada.conversation()
    path = f"/v1/conversations/{conversation}/messages"
    sent = await ada.post(path, {"text": "say 3 tokens, then fall silent"}, status=202)
    problem = await ada.post(f"/v1/replies/{sent['reply']}/regenerate", status=409)
    assert problem["code"] == "not_ended"
    problem = await ada.ask("DELETE", f"/v1/messages/{sent['reply']}", status=409)
    assert problem["code"] == "not_ended"
    await ada.post(f"/v1/replies/{sent['reply']}/cancel", status=202)
    await ended(ada, sent["reply"])
    await ada.ask("DELETE", f"/v1/messages/{sent['message']}", status=204)
    for method, route in (
        ("PATCH", f"/v1/messages/{sent['message']}"),
        ("POST", f"/v1/replies/{sent['reply']}/regenerate"),
    ):
        body = {"text": "x"} if method == "PATCH" else {}
        assert (await ada.ask(method, route, body, status=409))["code"] == "retracted"
    greeting = await ada.post("/v1/characters", {"name": "Emilia", "greeting": "Come in."}, status=201)
    hers = await ada.conversation(character=greeting["id"])
    (message,) = await ada.messages(hers)
    problem = await ada.post(f"/v1/replies/{message['id']}/regenerate", status=404)
    assert problem["code"] == "not_found"


async def ended(http: Http, reply: str) -> dict[str, Any]:
    """Wait for the end of a reply."""
    while (told := await http.get(f"/v1/replies/{reply}"))["status"] in _GOING:
        pass
    return told
