"""Any frames at all: a socket answers with documented codes, or closes with one, and the house stands."""

import json
from collections.abc import Iterator
from contextlib import suppress

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.documented import documented_close_codes, documented_codes
from tests.support.house import House

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
types = st.sampled_from(["hello", "subscribe", "unsubscribe", "send", "cancel", "ping", "pong", "welcome"])
fields = st.sampled_from(["id", "token", "conversation", "after", "text", "key", "reply", "from", "type"])
almost_frames = st.builds(
    lambda kind, more: {"type": kind, **more}, types, st.dictionaries(fields, values, max_size=4)
)
frames = (
    st.binary(max_size=60)
    | st.text(max_size=60)
    | values.map(json.dumps)
    | almost_frames.map(json.dumps)
    | almost_frames.map(lambda frame: json.dumps(frame, ensure_ascii=False)[:-1])
)


@pytest.fixture
def token(house: House) -> Iterator[str]:
    """Give a guest's token."""
    with httpx2.Client(base_url=house.here, trust_env=False) as client:
        yield client.post("/v1/session").json()["token"]


def socket(house: House) -> ClientConnection:
    """A socket of the shared house."""
    return connect(house.here.replace("http", "ws", 1) + "/ws", proxy=None, close_timeout=5)


def check_what_comes(connection: ClientConnection, end: str) -> None:
    """Read to the answer with the id `end`, or to a close: documented all of it."""
    with suppress(ConnectionClosed):
        while True:
            frame = json.loads(connection.recv(timeout=20))
            if frame["type"] == "error":
                assert frame["code"] in documented_codes() - {"internal"}, frame
            if frame.get("id") == end:
                return
    code = connection.close_code
    assert code in documented_close_codes() - {4500}, f"closed with {code}"


@given(said=st.lists(frames, max_size=6))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_frames_after_hello(house: House, token: str, said: list[str | bytes]) -> None:
    """Whatever is said in between, the last frame, a good one, is answered."""
    with socket(house) as connection:
        connection.send(json.dumps({"type": "hello", "token": token}))
        for frame in said:
            connection.send(_sendable(frame))
        connection.send(json.dumps({"type": "ping", "id": "the end of the fuzz"}))
        check_what_comes(connection, "the end of the fuzz")


@given(said=st.lists(frames, max_size=4))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_frames_before_hello(house: House, token: str, said: list[str | bytes]) -> None:
    """Nobody gets in by accident; who says hello in the end is welcome, unless the door was shut before."""
    with socket(house) as connection:
        with suppress(ConnectionClosed):  # what it was closed with is read below
            for frame in said:
                connection.send(_sendable(frame))
            connection.send(json.dumps({"type": "hello", "token": token, "id": "the end of the fuzz"}))
        check_what_comes(connection, "the end of the fuzz")


def _sendable(frame: str | bytes) -> str | bytes:
    return frame.encode("utf-8", "replace").decode() if isinstance(frame, str) else frame
