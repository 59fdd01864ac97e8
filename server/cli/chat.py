"""`python -m server chat`: a conversation in the terminal, on the same protocol as everybody else's.

Tokens appear as they come; Ctrl-C stops a reply, and leaves when none is running; a lost connection is resumed from the
last offset; what was being sent is sent again under its key.
"""

import asyncio
import json
import random
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx2
from rich.console import Console
from uuid_utils import uuid7
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

_ENDS = ("reply.completed", "reply.failed", "reply.cancelled")
_GOING_ON = ("queued", "running")
_STAGES = {"context": "reading the conversation", "waiting": "waiting for the model"}
_LONGEST_PAUSE = 10.0


class ChatFailed(Exception):
    """The server refused, or is not there; the message is for the person at the terminal."""


class _AskAgain(Exception):
    """The server cannot serve the conversation now: a new connection, `after` so many seconds, tries it anew."""

    def __init__(self, after: float) -> None:
        super().__init__(after)
        self.after = after


class Transcript:
    """What has been seen of one conversation, and how it is shown: text is written where it belongs, once."""

    def __init__(self, write: Callable[[str], None], note: Callable[[str], None]) -> None:
        self._write = write
        self._note = note
        self.epoch: str | None = None
        self.offset = 0
        self.running: str | None = None
        self._shown: dict[str, int] = {}
        self._mine: set[str] = set()
        self._ended: set[str] = set()
        self._models: dict[str, str] = {}

    def expect(self, reply: str) -> None:
        """An answer will come, unless it has come already: answers and events arrive in any order."""
        if reply not in self._ended:
            self.running = reply

    def said(self, key: str) -> None:
        """A message of this terminal's own: it stands there already."""
        self._mine.add(key)

    def take(self, frame: dict[str, Any]) -> None:
        """Show a frame of the conversation."""
        if frame["type"] == "subscribed":
            self.epoch = frame["epoch"]
            if not frame["recovered"]:
                self.offset = frame["offset"]
                self._show_snapshot(frame["snapshot"]["messages"])
            return
        self.offset = frame.get("offset", self.offset)
        reply: str = frame.get("reply", "")
        match frame["type"]:
            case "message.created" if frame["message"]["key"] not in self._mine:
                self._write(f"\n› {frame['message']['text']}\n")
            case "reply.queued":
                self.running, self._shown[reply] = reply, 0
                if frame["position"] > 1:
                    self._note(f"queued at place {frame['position']}")
            case "reply.started":
                self._models[reply] = frame["model"]
            case "reply.progress":
                stage: str = frame["stage"]
                self._note(str(frame.get("detail") or _STAGES.get(stage, stage)))
            case "reply.delta":
                self._grow(reply, frame["at"], frame["text"])
            case "reply.restarted":
                self._shown[reply] = frame["keep"]
                self._write("\n")
                self._note("interrupted; another worker goes on")
            case kind if kind in _ENDS:
                self._end(frame)
            case _:
                pass

    def _show_snapshot(self, messages: list[dict[str, Any]]) -> None:
        before, self.running = self.running, None
        for message in messages:
            if message["status"] not in _GOING_ON:
                self._ended.add(message["id"])
            elif self.running is None:
                self.running = message["id"]
            if message["key"] not in self._mine:
                self._show_message(message, begun=message["id"] == before)

    def _show_message(self, message: dict[str, Any], *, begun: bool) -> None:
        """What is not shown of it yet; `begun`: the line that it stands on is still open."""
        text: str = message["text"]
        shown = self._shown.get(message["id"])
        self._shown[message["id"]] = len(text)
        goes_on = message["status"] in _GOING_ON
        if shown is not None and shown > len(text):
            self._write("\n")
            self._note("interrupted; another worker goes on")
        elif shown is None or shown < len(text) or (begun and not goes_on):
            mark, end = ("› ", "\n") if message["role"] == "user" else ("", "\n\n")
            self._write(f"{mark if shown is None else ''}{text[shown or 0 :]}{'' if goes_on else end}")

    def _grow(self, reply: str, at: int, text: str) -> None:
        self.running = reply
        shown = self._shown.get(reply, 0)
        self._write(text[max(shown - at, 0) :])
        self._shown[reply] = max(shown, at + len(text))

    def _end(self, frame: dict[str, Any]) -> None:
        self.running = None
        self._ended.add(frame["reply"])
        self._write("\n")
        match frame["type"]:
            case "reply.completed":
                self._note(_summary(self._models.pop(frame["reply"], None), frame))
            case "reply.cancelled":
                self._note("stopped")
            case _:
                self._note(f"failed: {frame['detail']} ({frame['code']})")


def _summary(model: str | None, end: dict[str, Any]) -> str:
    """What there is to say of a finished reply: who wrote it, how much, how long it took, and at what pace."""
    seconds = end["timing"]["total_ms"] / 1000
    parts = [model] if model else []
    tokens: int = end["usage"]["output"] if end["usage"] else 0
    if tokens:
        parts.append(f"{tokens} tokens")
    parts.append(f"{seconds:.1f} s")
    writing = seconds - ((end["timing"]["queued_ms"] or 0) + (end["timing"]["first_token_ms"] or 0)) / 1000
    if tokens and writing > 0.2:
        parts.append(f"{tokens / writing:.0f} tokens/s")
    return " · ".join(parts)


class Terminal:
    """One conversation at one server."""

    def __init__(self, url: str, token: str | None, conversation: str | None) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._conversation = conversation
        self._console = Console(highlight=False)
        self._transcript = Transcript(self._write, self._note)
        self._socket: ClientConnection | None = None
        self._unanswered: dict[str, dict[str, Any]] = {}
        self._changed = asyncio.Event()
        self._ready = asyncio.Event()
        self._typed: asyncio.Future[str | None] | None = None
        self._stopped: set[str] = set()
        self._leaving = False

    async def run(self) -> None:
        """Talk until Ctrl-D. Errors: `ChatFailed`."""
        await self._enter()
        self._note(f"{self._conversation} at {self._url} · Ctrl-C stops a reply, Ctrl-D leaves")
        listening = asyncio.create_task(self._listen())
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupted)
        try:
            await self._until(lambda: self._ready.is_set() or self._leaving, listening)
            await self._talk(listening)
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _talk(self, listening: asyncio.Task[None]) -> None:
        while True:
            await self._until(self._may_talk, listening)
            line = None if self._leaving else await self._read_line()
            if line is None:
                self._write("\n")
                return
            if line.strip():
                key = str(uuid7())
                self._transcript.said(key)
                await self._ask("send", conversation=self._conversation, text=line, key=key)

    def _may_talk(self) -> bool:
        return self._leaving or (self._transcript.running is None and not self._unanswered)

    async def _read_line(self) -> str | None:
        """What is typed; None for Ctrl-D and Ctrl-C. The thread is left alone: it must not keep the program alive."""
        loop = asyncio.get_running_loop()
        self._typed = typed = loop.create_future()

        def settle(line: str | None) -> None:
            if not typed.done():
                typed.set_result(line)

        def read() -> None:
            try:
                line: str | None = input("› ")
            except EOFError:
                line = None
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, line)

        threading.Thread(target=read, daemon=True).start()
        try:
            return await typed
        finally:
            self._typed = None

    def _interrupted(self) -> None:
        """Ctrl-C: stop the reply that is running; at the prompt, or when nothing can be stopped, leave."""
        reply = self._transcript.running
        if self._typed is not None and not self._typed.done():
            self._typed.set_result(None)
        elif reply is not None and reply not in self._stopped and self._socket is not None:
            self._note("stopping")
            self._stopped.add(reply)
            self._stopping = asyncio.ensure_future(self._ask("cancel", reply=reply))
        else:
            self._leaving = True
            self._changed.set()

    async def _enter(self) -> None:
        try:
            async with httpx2.AsyncClient(base_url=self._url, trust_env=False, timeout=10) as client:
                if self._token is None:
                    self._token = (await self._post(client, "/v1/session", {"name": "Terminal"}))["token"]
                client.headers["Authorization"] = f"Bearer {self._token}"
                if self._conversation is None:
                    self._conversation = (await self._post(client, "/v1/conversations", {}))["id"]
        except httpx2.TransportError as error:
            raise ChatFailed(f"Nobody answers at {self._url} ({type(error).__name__}). Is it up?") from None

    @staticmethod
    async def _post(client: httpx2.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = await client.post(path, json=body)
        answer: dict[str, Any] = response.json()
        if response.is_error:
            raise ChatFailed(f"{answer.get('detail')} ({answer.get('code')})")
        return answer

    async def _listen(self) -> None:
        """Stay connected: resume from the last offset, send again what was not answered."""
        address = "ws" + self._url.removeprefix("http") + "/ws"
        failures = 0
        while True:
            advised: float | None = None
            try:
                # Snapshots can be large, and are the server's own.
                how: dict[str, Any] = {"proxy": None, "max_size": None}
                async with connect(address, subprotocols=[Subprotocol("chat.v1")], **how) as socket:
                    self._socket = socket
                    await self._say({"type": "hello", "token": self._token})
                    after = {"epoch": self._transcript.epoch, "offset": self._transcript.offset}
                    place = {"after": after} if self._transcript.epoch else {}
                    await self._say({"type": "subscribe", "conversation": self._conversation, **place})
                    for frame in list(self._unanswered.values()):
                        await self._say(frame)
                    async for raw in socket:
                        failures = 0
                        advised = self._take(json.loads(raw)) or advised
            except _AskAgain as again:
                advised = again.after
            except (ConnectionClosed, InvalidHandshake, OSError):
                failures += 1
            self._socket = None
            pause = advised or random.uniform(0.3, 1) * min(2**failures / 2, _LONGEST_PAUSE)  # noqa: S311 - jitter
            self._note(f"reconnecting in {pause:.1f} s")
            await asyncio.sleep(pause)

    def _take(self, frame: dict[str, Any]) -> float | None:
        """Note a frame; returns the server's advice when to come back, if it gives one."""
        asked = self._unanswered.pop(frame.get("id", ""), None)
        match frame["type"]:
            case "going_away":
                return float(frame["reconnect_after"])
            case "accepted":
                if frame["reply"]:
                    self._transcript.expect(frame["reply"])
            case "error":
                if asked is None and frame.get("retry_after"):
                    raise _AskAgain(frame["retry_after"])
                if asked is None:
                    raise ChatFailed(f"{frame['detail']} ({frame['code']})")
                self._note(f"{frame['detail']} ({frame['code']})")
            case "subscribed":
                self._ready.set()
                self._transcript.take(frame)
            case _:
                self._transcript.take(frame)
        self._changed.set()
        return None

    async def _ask(self, kind: str, **fields: Any) -> None:
        frame = {"type": kind, "id": str(uuid7()), **fields}
        self._unanswered[frame["id"]] = frame
        if self._socket is not None:
            await self._say(frame)

    async def _say(self, frame: dict[str, Any]) -> None:
        if self._socket is not None:
            # The listener notices a lost connection, makes another, and sends again what matters.
            with suppress(ConnectionClosed):
                await self._socket.send(json.dumps(frame))

    async def _until(self, condition: Callable[[], bool], listening: asyncio.Task[None]) -> None:
        while not condition():
            self._changed.clear()
            changed = asyncio.create_task(self._changed.wait())
            await asyncio.wait({changed, listening}, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            if listening.done():
                listening.result()

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def _note(self, text: str) -> None:
        self._console.print(f"[dim]· {text}[/dim]")
