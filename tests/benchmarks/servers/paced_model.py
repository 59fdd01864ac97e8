"""A light server of OpenAI's protocol that answers at a pace: the chunks are made before anybody asks.

The model's name says how many tokens are wanted, and how many a second (`tokens-300-50`). The first comes after
`FIRST_TOKEN_SECONDS`. Prints its port.
"""

import asyncio
from typing import cast

import msgspec

from tests.benchmarks.children import commands, run, say

FIRST_TOKEN_SECONDS = 0.1
PER_SECOND = 50
TOKEN_SECONDS = 1 / PER_SECOND
TOKEN = " token"

_NO_MODELS = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def model(tokens: int, per_second: int = PER_SECOND) -> str:
    """The name of a model that answers with so many tokens."""
    return f"tokens-{tokens}-{per_second}"


def _event(data: bytes) -> bytes:
    event = b"data: %b\n\n" % data
    return b"%x\r\n%b\r\n" % (len(event), event)


def _chunk(
    delta: dict[str, str] | None, reason: str | None = None, usage: dict[str, int] | None = None
) -> bytes:
    choices = (
        [] if delta is None else [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
    )
    chunk = {
        "id": "chatcmpl-0123456789abcdefghijklmnopqrs",
        "object": "chat.completion.chunk",
        "created": 1790000000,
        "model": "paced",
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
        "choices": choices,
        "usage": usage,
        "obfuscation": "0123456789ab",
    }
    return _event(msgspec.json.encode(chunk))


_FIRST = _chunk({"role": "assistant", "content": TOKEN})
_NEXT = _chunk({"content": TOKEN})
_FINISH = _chunk({}, "stop")
_END = _event(b"[DONE]") + b"0\r\n\r\n"


class _Answering(asyncio.Protocol):
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._request = b""
        self._left = 0
        self._tokens = 0
        self._due = 0.0
        self._pause = TOKEN_SECONDS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._request += data
        head, found, body = self._request.partition(b"\r\n\r\n")
        if not found:
            return
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if len(body) < length:
            return
        self._request = b""
        if not body:  # which models there are is not told
            self._transport.write(_NO_MODELS)
            return
        _, tokens, per_second = msgspec.json.decode(body)["model"].split("-")
        self._tokens = self._left = int(tokens)
        self._pause = 1 / int(per_second)
        self._due = self._loop.time() + FIRST_TOKEN_SECONDS
        self._loop.call_at(self._due, self._give)

    def _give(self) -> None:
        if self._transport.is_closing():
            return
        first = self._left == self._tokens
        self._transport.write(_HEAD + _FIRST if first else _NEXT)
        self._left -= 1
        if self._left:
            self._due += self._pause
            self._loop.call_at(self._due, self._give)
            return
        counts = {"prompt_tokens": 9, "completion_tokens": self._tokens, "total_tokens": self._tokens + 9}
        self._transport.write(_FINISH + _chunk(None, usage=counts) + _END)


async def _main() -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0)
    say(port=server.sockets[0].getsockname()[1])
    async for _ in commands():
        pass


if __name__ == "__main__":
    run(_main())
