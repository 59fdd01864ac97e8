"""No server at all: a process that reads model streams, in one of three ways, and throws the tokens away.

`python -m … WAY URL`, where WAY is `sdk` (the OpenAI SDK's `async for`), `raw` (httpx2 lines and `json`) or `ours`
(the engine of `providers.openai` alone). Prints `{}`; answers `go STREAMS ANSWERS TOKENS GAP` (streams begin GAP
seconds apart, each reads ANSWERS answers, one after the other) by `{"cpu", "tokens", "first"}`: seconds of CPU of
this process, tokens read, and the seconds to the first token of each answer.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx2
import openai

from providers.config import ProviderConfig
from providers.contract import Prompt, TextDelta, Turn
from providers.openai import OpenAIProvider
from tests.benchmarks.children import commands, run, say
from tests.benchmarks.machine import cpu_seconds
from tests.benchmarks.servers.paced_model import model

_QUESTION = "What is a tertulia?"
_LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=1000)

Way = Callable[[str], AsyncGenerator[str]]


def _sdk(url: str) -> Way:
    client = openai.AsyncOpenAI(base_url=url, api_key="none")

    async def read(name: str) -> AsyncGenerator[str]:
        stream = await client.chat.completions.create(
            model=name,
            messages=[{"role": "user", "content": _QUESTION}],
            stream=True,
            stream_options={"include_usage": True},
        )
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content

    return read


def _raw(url: str) -> Way:
    client = httpx2.AsyncClient(timeout=60, limits=_LIMITS, trust_env=False)

    async def read(name: str) -> AsyncGenerator[str]:
        body = {"model": name, "messages": [{"role": "user", "content": _QUESTION}], "stream": True}
        async with client.stream("POST", f"{url}/chat/completions", json=body) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    chunk: Any = json.loads(line[6:])
                    if chunk["choices"] and (text := chunk["choices"][0]["delta"].get("content")):
                        yield text

    return read


def _ours(url: str) -> Way:
    provider = OpenAIProvider(ProviderConfig("bench", "openai", url))

    async def read(name: str) -> AsyncGenerator[str]:
        async for delta in provider.stream(Prompt(name, (Turn("user", _QUESTION),))):
            if isinstance(delta, TextDelta):
                yield delta.text

    return read


async def _stream(read: Way, delay: float, answers: int, tokens: int, first: list[float]) -> int:
    await asyncio.sleep(delay)
    seen = 0
    for _ in range(answers):
        asked, waiting = time.perf_counter(), True
        async for _ in read(model(tokens)):
            if waiting:
                first.append(time.perf_counter() - asked)
                waiting = False
            seen += 1
    return seen


async def _main() -> None:
    read = {"sdk": _sdk, "raw": _raw, "ours": _ours}[sys.argv[1]](sys.argv[2])
    say()
    async for command in commands():
        streams, answers, tokens = (int(word) for word in command[1:4])
        gap = float(command[4])
        first: list[float] = []
        before = cpu_seconds(os.getpid())
        seen = await asyncio.gather(*(_stream(read, n * gap, answers, tokens, first) for n in range(streams)))
        say(cpu=cpu_seconds(os.getpid()) - before, tokens=sum(seen), first=first)


if __name__ == "__main__":
    run(_main())
