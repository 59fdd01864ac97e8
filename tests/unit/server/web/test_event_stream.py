"""An event stream as its ASGI server sees it."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from starlette.types import Message

from realtime.hub import Hub
from realtime.session import Limits
from server.web.auth import User
from server.web.event_stream import EventStream
from tests.support.scripted_log import ScriptedFeed, ScriptedLog


class Breaking(Hub):
    """A hub with a bug."""

    async def subscribe(self, *args: Any) -> Any:
        """Break."""
        raise ZeroDivisionError


async def served(hub: Hub, *, gone: bool = False) -> tuple[list[Message], list[str]]:
    """What a stream told its server, and who was counted at its end; `gone`: the client has left already."""
    told: list[Message] = []
    present: list[str] = []
    answers = dict.fromkeys(("decode", "admit", "snapshot", "handle", "merger", "has_company"))
    chat = SimpleNamespace(
        **answers,
        limits=Limits(),
        enter=lambda user: present.append(user) or True,
        leave=present.remove,
    )

    async def admitted(user: str, conversation: str) -> None:
        return None

    async def receive() -> Message:
        await asyncio.Event().wait()
        return {}

    async def send(message: Message) -> None:
        if gone:
            raise OSError("gone")
        told.append(message)

    queries = SimpleNamespace(conversation=admitted)
    stream = EventStream(cast("Any", chat), cast("Any", queries), hub, cast("Any", None))
    await stream.serve(User("ada", "Ada"), "cnv_1", {"headers": []}, receive, send)
    assert not stream.connections
    return told, present


async def test_a_bug_ends_a_stream_that_has_begun() -> None:
    """Its response has one head and an end, and its user is counted no longer."""
    log = ScriptedLog()
    told, present = await served(Breaking(log, ScriptedFeed(log)))
    assert [message["type"] for message in told] == ["http.response.start", "http.response.body"]
    assert told[-1]["more_body"] is False
    assert present == []


async def test_a_listener_who_has_left_is_no_bug() -> None:
    """Where the server says so before anything is told."""
    log = ScriptedLog()
    assert await served(Hub(log, ScriptedFeed(log)), gone=True) == ([], [])
