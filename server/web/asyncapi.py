"""The AsyncAPI 3.0 document of the socket, made from the frames and events that the code itself uses."""

from typing import Any

import msgspec
from pydantic.json_schema import models_json_schema

from server.domain.wire import EVENTS
from server.web.frames import FRAMES

_REF = "#/components/schemas/{name}"
_OFFSETS = {
    "offset": {"type": "integer", "minimum": 1, "description": "Its place in the conversation's log."},
    "from": {
        "type": "integer",
        "minimum": 1,
        "description": "The first offset that it covers, if more than one.",
    },
}


def _answer(type_: str, required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = {"type": {"const": type_}, "id": {"type": "string"}, **required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": ["type", *required]}


_STRING, _NUMBER, _FLAG = {"type": "string"}, {"type": "number"}, {"type": "boolean"}
_OPTIONAL_STRING = {"type": ["string", "null"]}
_SNAPSHOT = {
    "type": "object",
    "properties": {
        "messages": {"type": "array"},
        "previous": _OPTIONAL_STRING,
        "head": _OPTIONAL_STRING,
        "version": {"type": "integer"},
        "aside": {"type": "array"},
        "conversations": {"type": "array"},
        "next": _OPTIONAL_STRING,
    },
}
_ANSWERS: dict[str, dict[str, Any]] = {
    "Welcome": _answer(
        "welcome",
        {"session": _STRING, "user": _STRING, "heartbeat": _NUMBER, "limits": {"type": "object"}},
    ),
    "Subscribed": _answer(
        "subscribed",
        {"conversation": _STRING, "epoch": _STRING, "offset": {"type": "integer"}, "recovered": _FLAG},
        {"snapshot": _SNAPSHOT},
    ),
    "Unsubscribed": _answer("unsubscribed", {"conversation": _STRING}),
    "Accepted": _answer("accepted", {"message": _STRING, "duplicate": _FLAG}, {"reply": _OPTIONAL_STRING}),
    "Chosen": _answer("chosen", {"message": _STRING, "head": _OPTIONAL_STRING}),
    "Retracted": _answer("retracted", {"message": _STRING}),
    "Archived": _answer("archived", {"message": _STRING, "archived": _FLAG}),
    "Cancelling": _answer("cancelling", {"reply": _STRING, "status": _STRING}),
    "Noted": _answer("noted", {}),
    "Pong": _answer("pong", {}),
    "Presence": _answer(
        "presence",
        {
            "conversation": _STRING,
            "users": {"type": "array", "items": _STRING},
            "count": {"type": "integer"},
        },
    ),
    "SomebodyTypes": _answer("typing", {"conversation": _STRING, "user": _STRING, "on": _FLAG}),
    "Error": _answer(
        "error",
        {"code": _STRING, "detail": _STRING},
        {"field": _STRING, "retry_after": _NUMBER, "conversation": _STRING},
    ),
    "GoingAway": _answer("going_away", {"reconnect_after": _NUMBER}),
}


def asyncapi(version: str) -> dict[str, Any]:
    """The document."""
    _, frames = models_json_schema(
        [(kind, "validation") for kind in FRAMES], ref_template=_REF.format(name="{model}")
    )
    _, events = msgspec.json.schema_components(EVENTS, ref_template=_REF)
    schemas: dict[str, Any] = {**frames["$defs"], **events, **_ANSWERS}
    for kind in EVENTS:
        event = schemas[kind.__name__]
        event["properties"] |= _OFFSETS
        event["required"] = [*event["required"], "offset"]
        event.pop("additionalProperties", None)
    sent = [kind.__name__ for kind in FRAMES]
    received = [*_ANSWERS, *(kind.__name__ for kind in EVENTS)]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tertulia's socket",
            "version": version,
            "description": "Subprotocol `chat.v1`: one JSON object per text frame; "
            "`chat.v1.msgpack`: the same as MessagePack in binary frames.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "address": "/ws",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in sent + received},
                "bindings": {"ws": {"method": "GET"}},
            }
        },
        "operations": {
            "fromClient": _operation("receive", "What a client says.", sent),
            "toClient": _operation(
                "send", "Answers, and the events of the conversations it follows.", received
            ),
        },
        "components": {
            "messages": {
                name: {"name": name, "payload": {"$ref": _REF.format(name=name)}} for name in sent + received
            },
            "schemas": schemas,
        },
    }


def _operation(action: str, summary: str, messages: list[str]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/socket"},
        "messages": [{"$ref": f"#/channels/socket/messages/{name}"} for name in messages],
    }
