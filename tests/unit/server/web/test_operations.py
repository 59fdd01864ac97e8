"""One request, from its bytes to its answer."""

import asyncio

import msgspec
import pytest
from pydantic import BaseModel
from starlette.types import Message

from server.web import operations
from server.web.auth import Tokens
from server.web.operations import Call, Endpoint, Operation
from server.web.write_limits import WriteLimits


class Said(BaseModel):
    """A body."""

    text: str


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends a byte now and then gets an answer after a while, and its connection is closed."""
    monkeypatch.setattr(operations, "_BODY_SECONDS", 0.05)

    async def handle(call: Call) -> None:
        raise AssertionError("there is no body")

    operation = Operation("POST", "/said", "Say", handle, "Test", Said, public=True)
    told: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Message) -> None:
        told.append(message)

    scope = {"type": "http", "method": "POST", "headers": [], "query_string": b"", "path_params": {}}
    await Endpoint(operation, Tokens("s" * 32), WriteLimits(1))(scope, receive, send)
    head, body = told
    assert head["status"] == 408
    assert (b"connection", b"close") in head["headers"]
    assert msgspec.json.decode(body["body"])["code"] == "too_slow"
