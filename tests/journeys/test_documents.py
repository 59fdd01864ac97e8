"""The documents about the protocol are valid, and what is really said is as they say."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from openapi_spec_validator import validate

from tests.support.client import Http, Reader, chat
from tests.support.house import House
from tests.support.listener import listening

ASYNCAPI = Path(__file__).parents[2] / "node_modules/@asyncapi/specs/schemas/3.0.0.json"
HELD_BACK = {"reply.restarted", "going_away"}
"""Not to be had from a house in which nothing breaks."""


class FrameSchemas:
    """The schemas of /asyncapi.json by the `type` of a frame."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._schemas = document["components"]["schemas"]
        self._names: dict[str, str] = {}
        for message in document["components"]["messages"].values():
            name = message["payload"]["$ref"].rpartition("/")[2]
            kind = self._schemas[name]["properties"]["type"]
            self._names[kind.get("const") or kind["enum"][0]] = name
        self._root = {"components": document["components"]}

    @property
    def types(self) -> set[str]:
        """Every type there is."""
        return set(self._names)

    def check(self, frame: dict[str, Any]) -> None:
        """Fails on a frame that is not as its schema says, or says more."""
        name = self._names[frame["type"]]
        jsonschema.validate(frame, {"$ref": f"#/components/schemas/{name}", **self._root})
        assert set(frame) <= set(self._schemas[name]["properties"]), frame


async def test_the_openapi_document_is_valid(ada: Http) -> None:
    """OpenAPI 3.1, by the validator of the specification."""
    document = await ada.get("/openapi.json")
    assert document["openapi"].startswith("3.1")
    validate(document)


async def test_limits_are_as_documented(ada: Http) -> None:
    """Of each list, and of search: the greatest is taken, and one more refused; what is needed is said to be."""
    document, conversation = await ada.get("/openapi.json"), await ada.conversation()
    limited = 0
    for path, operations in document["paths"].items():
        parameters = {one["name"]: one for one in operations.get("get", {}).get("parameters", ())}
        if "limit" not in parameters:
            continue
        limited += 1
        needed = "".join(
            f"&{name}=x" for name, one in parameters.items() if one.get("required") and name != "id"
        )
        most = parameters["limit"]["schema"]["maximum"]
        asked = f"{path.replace('{id}', conversation)}?limit="
        await ada.get(f"{asked}{most}{needed}")
        assert (await ada.get(f"{asked}{most + 1}{needed}", status=422))["field"] == "limit"
    assert limited >= 5


async def test_the_asyncapi_document_is_valid(ada: Http) -> None:
    """AsyncAPI 3.0, by the schema of the specification."""
    assert ASYNCAPI.exists(), "`make setup` fetches the schema"
    schema = json.loads(ASYNCAPI.read_text())
    document = await ada.get("/asyncapi.json")
    check = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in check.iter_errors(document)] == []
    assert not check.is_valid({**document, "operations": {"toClient": {"action": "shout"}}})


async def test_every_frame_is_as_documented(house: House, ada: Http) -> None:
    """A journey in which everything happens; each frame that came fits its schema, and all kinds came."""
    schemas = FrameSchemas(await ada.get("/asyncapi.json"))
    character = await ada.post("/v1/characters", {"name": "Eve", "greeting": "Hola"}, status=201)
    conversation = await ada.conversation(character=character["id"])
    path = f"/v1/conversations/{conversation}"
    async with (
        chat(house.here, ada.token) as device,
        chat(house.there, ada.token) as lines,
        listening(ada, conversation, reader=Reader()) as stream,
    ):
        await stream.read()
        await lines.subscribe(f"list:{ada.user}")
        await device.subscribe(conversation)
        completed = await device.send(conversation, "say 50 tokens at 400/s", key="k")
        await device.until_end(completed["reply"])
        text = "think 3 tokens, cite https://example.org/owls, use look with {}"
        using = await device.send(conversation, text)
        await device.until_end(using["reply"])
        failed = await device.send(conversation, "refuse with 401")
        await device.until_end(failed["reply"])
        cancelled = await device.send(conversation, "say 5 tokens, then fall silent")
        await device.until_text(cancelled["reply"])
        await device.ask("cancel", reply=cancelled["reply"])
        await device.until_end(cancelled["reply"])
        await device.ask("send", conversation=conversation, text="no answer", reply=False)
        await device.ask("send", conversation=conversation)
        await device.ask("ping")
        await device.ask("typing", conversation=conversation, on=True)
        while not {"presence", "typing"} <= {frame["type"] for frame in device.heard}:
            await device.read()
        await device.ask("edit", message=completed["message"], text="by the way", reply=False)
        await device.ask("choose", message=completed["message"])
        again = await device.ask("regenerate", reply=completed["reply"])
        await device.until_end(again["reply"])
        await device.ask("archive", message=again["reply"])
        await device.ask("retract", message=again["reply"])
        await ada.ask("PATCH", path, {"title": "Of everything", "settings": {"temperature": 1}})
        async with chat(house.there, ada.token, device.reader) as other:
            await other.ask("subscribe", conversation=conversation, after=device.reader.after)
        await ada.ask("DELETE", path, status=204)
        while device.heard[-1]["type"] != "conversation.deleted":
            await device.read()
        await device.ask("unsubscribe", conversation=conversation)
        while stream.heard[-1]["type"] != "conversation.deleted":
            await stream.read()
        while lines.heard[-1]["type"] != "list.removed":
            await lines.read()
    heard = [*device.heard, *other.heard, *stream.heard, *lines.heard]
    for frame in heard:
        schemas.check(frame)
    said_by_clients = {"hello", "subscribe", "unsubscribe", "send", "cancel", "ping"}
    said_by_clients |= {"regenerate", "edit", "choose", "retract", "archive"}
    assert {frame["type"] for frame in heard} == schemas.types - said_by_clients - HELD_BACK


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "hello", "id": "1", "token": "x"},
        {"type": "subscribe", "conversation": "cnv_1", "after": {"epoch": "e", "offset": 1}},
        {"type": "send", "conversation": "cnv_1", "text": "x", "key": "k", "reply": {"model": "m"}},
        {"type": "send", "conversation": "cnv_1", "text": "x", "reply": False},
        {"type": "cancel", "reply": "msg_1"},
        {"type": "regenerate", "reply": "msg_1", "key": "k", "settings": {"model": "m"}},
        {"type": "edit", "message": "msg_1", "text": "x", "key": "k", "reply": {"model": "m"}},
        {"type": "choose", "message": "msg_1"},
        {"type": "retract", "message": "msg_1"},
    ],
)
async def test_what_a_client_says_is_as_documented(ada: Http, frame: dict[str, Any]) -> None:
    """The schemas of a client's frames take what the protocol shows, and nothing more."""
    schemas = FrameSchemas(await ada.get("/asyncapi.json"))
    schemas.check(frame)
    with pytest.raises(jsonschema.ValidationError):
        schemas.check({**frame, "loud": True})
