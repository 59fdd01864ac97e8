"""Characters: who answers, how they greet, and what a model is told about them."""

import asyncio

from tests.support.client import Http, chat
from tests.support.house import House
from tests.support.talking_model import OTHER_MODEL

NOBODY = "chr_" + "0" * 32
LOVELACE = {
    "name": "Lovelace",
    "system_prompt": "You are Ada Lovelace.",
    "greeting": "Good evening. Shall we compute?",
    "settings": {"temperature": 0.1, "max_tokens": 100},
}


async def test_a_character_lives(ada: Http, grace: Http) -> None:
    """Made, listed, changed in part, forgotten; and nobody else's."""
    made = await ada.post("/v1/characters", LOVELACE, status=201)
    path = f"/v1/characters/{made['id']}"
    assert {name: made[name] for name in ("name", "system_prompt", "greeting")} == {
        name: LOVELACE[name] for name in ("name", "system_prompt", "greeting")
    }
    assert (await ada.get("/v1/characters"))["items"] == [made]
    changed = await ada.ask("PATCH", path, {"name": "Countess"})
    assert (changed["name"], changed["greeting"]) == ("Countess", LOVELACE["greeting"])
    for method, body in (("GET", None), ("PATCH", {"name": "Mine"}), ("DELETE", None)):
        assert (await grace.ask(method, path, body, status=403))["code"] == "forbidden"
        nothing = await grace.ask(method, f"/v1/characters/{NOBODY}", body, status=404)
        assert nothing["code"] == "not_found"
    theirs = await grace.post("/v1/conversations", {"character": made["id"]}, status=403)
    assert theirs["code"] == "forbidden"
    await ada.ask("DELETE", path, status=204)
    assert (await ada.get(path, status=404))["code"] == "not_found"


async def test_two_may_change_it_at_once(ada: Http) -> None:
    """Each changes what it says, and nothing that the other has said meanwhile."""
    path = f"/v1/characters/{(await ada.post('/v1/characters', LOVELACE, status=201))['id']}"
    for number in range(20):
        changes = ({"name": f"Ada {number}"}, {"greeting": f"Good evening {number}."})
        await asyncio.gather(*(ada.ask("PATCH", path, change) for change in changes))
        assert (changes[0] | changes[1]).items() <= (await ada.get(path)).items()


async def test_characters_are_read_in_pages(ada: Http) -> None:
    """The newest first, page by page."""
    made = [(await ada.post("/v1/characters", {"name": str(n)}, status=201))["id"] for n in range(5)]
    first = await ada.get("/v1/characters?limit=2")
    second = await ada.get(f"/v1/characters?limit=2&after={first['next']}")
    third = await ada.get(f"/v1/characters?limit=2&after={second['next']}")
    assert [one["id"] for page in (first, second, third) for one in page["items"]] == made[::-1]
    assert third["next"] is None


async def test_a_greeting_is_the_first_message(house: House, ada: Http) -> None:
    """It stands in the snapshot, the next message is number 2, and the model sees who it is and what it said."""
    character = await ada.post("/v1/characters", LOVELACE, status=201)
    conversation = await ada.conversation(character=character["id"])
    async with chat(house.here, ada.token) as device:
        subscribed = await device.subscribe(conversation)
        [greeting] = subscribed["snapshot"]["messages"]
        assert (greeting["role"], greeting["text"], greeting["seq"]) == (
            "assistant",
            LOVELACE["greeting"],
            1,
        )
        question = f"say 3 tokens, {conversation}"
        sent = await device.send(conversation, question)
        await device.until_end(sent["reply"])
    [asked] = house.model.requests_for(question)
    assert asked["messages"] == [
        {"role": "system", "content": LOVELACE["system_prompt"]},
        {"role": "assistant", "content": LOVELACE["greeting"]},
        {"role": "user", "content": question},
    ]


async def test_who_is_nearer_decides(house: House, ada: Http) -> None:
    """What the model was really asked for: the send over the conversation over the character over the server."""
    character = await ada.post("/v1/characters", LOVELACE, status=201)
    conversation = await ada.conversation(character=character["id"], settings={"max_tokens": 50})
    path = f"/v1/conversations/{conversation}"

    async def asked(number: int, **settings: object) -> dict:
        question = f"say 1 tokens, {number} {conversation}"
        async with chat(house.here, ada.token) as device:
            await device.subscribe(conversation)
            sent = await device.send(conversation, question, reply=settings)
            await device.until_end(sent["reply"])
        [request] = house.model.requests_for(question)
        return {name: request.get(name) for name in ("model", "temperature", "max_tokens")}

    assert await asked(1) == {"model": "talker-1", "temperature": 0.1, "max_tokens": 50}
    send = {"temperature": 0.9, "model": OTHER_MODEL}
    assert await asked(2, **send) == {"model": OTHER_MODEL, "temperature": 0.9, "max_tokens": 50}
    await ada.ask("PATCH", path, {"settings": {"model": OTHER_MODEL}})
    assert await asked(3) == {"model": OTHER_MODEL, "temperature": 0.1, "max_tokens": 100}
    await ada.ask("PATCH", f"/v1/characters/{character['id']}", {"settings": {"temperature": 0.2}})
    assert await asked(4) == {"model": OTHER_MODEL, "temperature": 0.2, "max_tokens": None}


async def test_a_forgotten_character_stops_nothing(house: House, ada: Http) -> None:
    """Conversations that had it go on without."""
    character = await ada.post("/v1/characters", LOVELACE, status=201)
    conversation = await ada.conversation(character=character["id"])
    await ada.ask("DELETE", f"/v1/characters/{character['id']}", status=204)
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        sent = await device.send(conversation, "say 3 tokens")
        assert (await device.until_end(sent["reply"]))["type"] == "reply.completed"


async def test_a_provider_that_is_not_here(house: House, ada: Http) -> None:
    """Refused where it is said: character, conversation and send."""
    settings = {"provider": "nowhere"}
    assert (await ada.post("/v1/characters", {"name": "X", **settings}, status=422))[
        "code"
    ] == "unknown_provider"
    refused = await ada.post("/v1/conversations", {"settings": settings}, status=422)
    assert (refused["code"], refused["field"]) == ("unknown_provider", "provider")
    conversation = await ada.conversation()
    async with chat(house.here, ada.token) as device:
        answer = await device.ask("send", conversation=conversation, text="Hola", reply=settings)
        assert (answer["type"], answer["code"]) == ("error", "unknown_provider")
    assert await ada.messages(conversation) == []
