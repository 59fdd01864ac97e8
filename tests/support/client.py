"""A client as docs/protocol.md describes one, for the tests: HTTP, a socket, and the text as a reader would see it."""

import asyncio
import hashlib
import itertools
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx2
from websockets.asyncio.client import ClientConnection, connect

ENDS = {"reply.completed", "reply.failed", "reply.cancelled"}


class Http:
    """The HTTP routes, for one user."""

    def __init__(self, base_url: str, client: httpx2.AsyncClient) -> None:
        self.base_url = base_url
        self.client = client
        self.token = ""
        self.user = ""

    async def become_guest(self, name: str = "Ada") -> Self:
        """Get a token."""
        session = await self.post("/v1/session", {"name": name}, status=201)
        self.user = session["user"]
        return self.come_back(session["token"])

    def come_back(self, token: str) -> Self:
        """Go on with a token."""
        self.token = token
        self.client.headers["Authorization"] = f"Bearer {token}"
        return self

    async def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """Any request: check the status, decode."""
        response = await self.client.request(method, path, json=body)
        assert response.status_code == status, f"{response.status_code} {response.text}"
        return response.json() if response.content else None

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        """POST, check the status, decode."""
        return await self.ask("POST", path, body, status)

    async def get(self, path: str, status: int = 200) -> Any:
        """GET, check the status, decode."""
        return await self.ask("GET", path, None, status)

    async def conversation(self, **said: Any) -> str:
        """Begin a conversation; its id."""
        return (await self.post("/v1/conversations", said, status=201))["id"]

    async def messages(self, conversation: str) -> list[dict[str, Any]]:
        """What is stored of a conversation."""
        return (await self.get(f"/v1/conversations/{conversation}/messages"))["items"]

    async def message(self, conversation: str, message: str) -> dict[str, Any]:
        """One stored message."""
        return next(m for m in await self.messages(conversation) if m["id"] == message)


@asynccontextmanager
async def http(base_url: str, token: str = "") -> AsyncIterator[Http]:
    """A guest with a new token, or with one that was given before."""
    async with httpx2.AsyncClient(base_url=base_url, trust_env=False, timeout=30, verify=False) as client:
        guest = Http(base_url, client)
        yield guest.come_back(token) if token else await guest.become_guest()


class Reader:
    """What a reader makes of the events of one conversation; every rule of the protocol is an assertion."""

    def __init__(self) -> None:
        self.epoch = ""
        self.offset = 0
        self.texts: dict[str, str] = {}
        self.status: dict[str, str] = {}
        self.types: list[str] = []
        self.ends: dict[str, dict[str, Any]] = {}

    @property
    def after(self) -> dict[str, Any]:
        """Where to resume."""
        return {"epoch": self.epoch, "offset": self.offset}

    def has_ended(self, reply: str) -> bool:
        """Whether an event or a snapshot said that a reply is over."""
        return f"reply.{self.status.get(reply)}" in ENDS

    def take(self, frame: dict[str, Any]) -> None:
        """Apply one frame that belongs to the conversation."""
        if frame["type"] == "subscribed":
            self._subscribed(frame)
            return
        if "offset" not in frame:
            return
        first = frame.get("from", frame["offset"])
        assert first == self.offset + 1, f"a hole: {self.offset} then {first}"
        self.offset = frame["offset"]
        self.types.append(frame["type"])
        self._apply(frame)

    def _subscribed(self, frame: dict[str, Any]) -> None:
        if frame["recovered"]:
            assert frame["epoch"] == self.epoch
            return
        self.epoch, self.offset = frame["epoch"], frame["offset"]
        for message in frame["snapshot"].get("messages", []):  # a list has none
            self.texts[message["id"]] = message["text"]
            self.status[message["id"]] = message["status"]

    def _apply(self, frame: dict[str, Any]) -> None:
        reply = frame.get("reply")
        match frame["type"]:
            case "message.created":
                self.texts[frame["message"]["id"]] = frame["message"]["text"]
            case "reply.queued":
                self.texts[reply], self.status[reply] = "", "queued"
            case "reply.started":
                self.status[reply] = "running"
            case "reply.delta":
                text = self.texts[reply]
                assert len(text) >= frame["at"], "a hole in the text"
                self.texts[reply] = text[: frame["at"]] + frame["text"]
            case "reply.restarted":
                self.texts[reply] = self.texts[reply][: frame["keep"]]
            case "reply.completed" | "reply.failed" | "reply.cancelled":
                self.status[reply] = frame["type"].removeprefix("reply.")
                self.ends[reply] = frame
                assert len(self.texts[reply]) == frame["length"]
            case _:
                pass
        if frame["type"] == "reply.completed":
            assert sha256(self.texts[reply]) == frame["sha256"]


class Chat:
    """A socket after hello."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.reader = Reader()
        self.heard: list[dict[str, Any]] = []
        """Every frame that came."""
        self.heard_at: list[float] = []
        """When each came (`time.monotonic`)."""
        self._ids = itertools.count(1)
        self._answers: dict[str, dict[str, Any]] = {}

    async def ask(self, type_: str, **fields: Any) -> dict[str, Any]:
        """Send a frame, and read until its answer."""
        frame_id = str(next(self._ids))
        await self.socket.send(json.dumps({"type": type_, "id": frame_id, **fields}))
        while frame_id not in self._answers:
            await self.read()
        return self._answers.pop(frame_id)

    async def read(self, timeout: float = 30.0) -> dict[str, Any]:
        """The next frame, applied to the reader."""
        async with asyncio.timeout(timeout):
            frame = json.loads(await self.socket.recv())
        self.heard.append(frame)
        self.heard_at.append(time.monotonic())
        if "id" in frame:
            self._answers[frame["id"]] = frame
        if frame["type"] == "subscribed" or "offset" in frame:
            self.reader.take(frame)
        return frame

    async def event(self) -> dict[str, Any]:
        """The next event of a log: presence and typing, which may come between any two, are passed by."""
        while "offset" not in (frame := await self.read()):
            pass
        return frame

    async def subscribe(self, conversation: str, after: dict[str, Any] | None = None) -> dict[str, Any]:
        """Follow a conversation."""
        return await self.ask("subscribe", conversation=conversation, **({"after": after} if after else {}))

    async def send(self, conversation: str, text: str, **more: Any) -> dict[str, Any]:
        """Say something; the `accepted` frame."""
        answer = await self.ask("send", conversation=conversation, text=text, **more)
        assert answer["type"] == "accepted", answer
        return answer

    async def until_text(self, reply: str) -> None:
        """Read until some of a reply is there. (Its first text may well come before `accepted`.)"""
        while not self.reader.texts.get(reply):
            await self.read()

    async def until_end(self, reply: str) -> dict[str, Any]:
        """Read until a reply has ended; its last event."""
        while reply not in self.reader.ends:
            await self.read()
        return self.reader.ends[reply]


@asynccontextmanager
async def chat(base_url: str, token: str, reader: Reader | None = None, **how: Any) -> AsyncIterator[Chat]:
    """A socket that has said hello; with a `reader` from before it knows where it was. `how` is for `connect`."""
    url = base_url.replace("http", "ws", 1) + "/ws"
    async with connect(url, subprotocols=["chat.v1"], max_size=None, proxy=None, **how) as socket:
        client = Chat(socket)
        client.reader = reader or client.reader
        welcome = await client.ask("hello", token=token)
        assert welcome["type"] == "welcome", welcome
        yield client


def sha256(text: str) -> str:
    """As the protocol defines it."""
    return hashlib.sha256(text.encode()).hexdigest()
