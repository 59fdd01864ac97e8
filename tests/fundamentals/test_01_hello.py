"""Chapter 1. Hello.

Everything begins with a token. On a machine of one's own anybody may have one: `POST /v1/session` makes a guest of
you. (In production a token service of yours issues them, and that route answers 403.)

The socket is for what is live. Its first frame is `hello`, with the token; `welcome` says who you are and what the
limits are. Frames are JSON objects. A frame may carry an `id`, and then its answer carries the same one.
"""

import json

import httpx2
from websockets.asyncio.client import connect

from tests.support.house import House


async def test_hello(house: House) -> None:
    """A name, a token, and a socket that knows whose it is."""
    async with httpx2.AsyncClient(base_url=house.here, trust_env=False) as http:
        session = (await http.post("/v1/session", json={"name": "Ada"})).json()
    assert session["name"] == "Ada"
    assert session["user"].startswith("usr_")

    address = house.here.replace("http", "ws", 1) + "/ws"
    async with connect(address, subprotocols=["chat.v1"], proxy=None) as socket:
        await socket.send(json.dumps({"type": "hello", "id": "1", "token": session["token"]}))
        welcome = json.loads(await socket.recv())
        assert (welcome["type"], welcome["id"]) == ("welcome", "1")
        assert welcome["user"] == session["user"]
        assert welcome["limits"] == {"text": 32_000, "frame": 262_144, "subscriptions": 100}

        # `heartbeat` is how many seconds of silence are normal. After that, one may ask.
        assert welcome["heartbeat"] == 25
        await socket.send(json.dumps({"type": "ping", "id": "2"}))
        assert json.loads(await socket.recv()) == {"type": "pong", "id": "2"}
