"""One answer as it is made: from the provider's deltas to the draft, and in the end to what is stored."""

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime
from typing import Any

from providers.contract import (
    Finish,
    Prompt,
    Provider,
    ReasoningDelta,
    TextDelta,
    UsageReport,
    estimate_tokens,
)
from providers.contract import Usage as TokenUsage
from realtime.log.writer import DraftWriter
from server.domain import wire
from server.domain.reply import Reply, Timing, Usage


class Generation:
    """Streams one prompt into one draft. It may be stopped at any `await`; what there is stays."""

    def __init__(
        self,
        reply: Reply,
        writer: DraftWriter,
        clock: Callable[[], datetime],
        started: datetime,
        kept: str = "",
    ) -> None:
        self._reply = reply
        self._writer = writer
        self._clock = clock
        self._started = started
        self._first_token: datetime | None = None
        self._kept = kept
        self._pieces: list[str] = [kept] if kept else []
        self._reasoning_length = 0
        self._usage: TokenUsage | None = None
        self._prompt_tokens = 0
        self.finish: str | None = None

    async def run(self, provider: Provider, prompt: Prompt) -> None:
        """Read until the provider finishes. Errors: `ProviderError`, `StaleWriter`.

        The loop waits for nothing but the provider, as long as there is room in the draft's buffer.
        """
        self._prompt_tokens = sum(estimate_tokens(turn.text) for turn in prompt.turns)
        writer = self._writer
        async with aclosing(provider.stream(prompt)) as deltas:
            async for delta in deltas:
                match delta:
                    case TextDelta(text):
                        if self._first_token is None:
                            self._first_token = self._clock()
                        self._pieces.append(text)
                        writer.write(text, self._delta)
                        await writer.room()
                    case ReasoningDelta(text):
                        writer.aside(text, self._reasoning, self._reasoning_length)
                        self._reasoning_length += len(text)
                        await writer.room()
                    case UsageReport(usage):
                        self._usage = usage
                    case Finish(reason):
                        self.finish = reason
                    case _:
                        pass  # tool calls have no place in a reply yet

    @property
    def text(self) -> str:
        """What there is so far."""
        return "".join(self._pieces)

    def usage(self) -> Usage:
        """Counted by the provider, or else estimated."""
        if self._usage is not None and self._kept:
            # Counted of the rest alone: what the attempts before came to is not known.
            output = estimate_tokens(self._kept) + self._usage.output
            return Usage(input=self._usage.input, output=output, exact=False)
        if self._usage is not None:
            return Usage(input=self._usage.input, output=self._usage.output, exact=self._usage.exact)
        return Usage(input=self._prompt_tokens, output=estimate_tokens(self.text), exact=False)

    def ended(self, now: datetime) -> dict[str, Any]:
        """What every end of a reply tells."""
        text = self.text
        return {
            "conversation": self._reply.conversation,
            "at": now,
            "reply": self._reply.id,
            "attempt": self._writer.attempt,
            "text": text,
            "length": len(text),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "usage": self.usage(),
            "timing": self._timing(now),
        }

    def _timing(self, now: datetime) -> Timing:
        accepted, first = self._reply.created_at, self._first_token
        return Timing(
            queued_ms=_milliseconds(accepted, self._started),
            first_token_ms=_milliseconds(self._started, first) if first else None,
            total_ms=_milliseconds(accepted, now),
        )

    def _delta(self, at: int, text: str) -> bytes:
        reply = self._reply
        return wire.ReplyDelta(conversation=reply.conversation, reply=reply.id, at=at, text=text).body()

    def _reasoning(self, at: int, text: str) -> bytes:
        reply = self._reply
        return wire.ReplyReasoning(conversation=reply.conversation, reply=reply.id, at=at, text=text).body()


def _milliseconds(start: datetime, end: datetime) -> int:
    return max(0, round((end - start).total_seconds() * 1000))


async def stopped_or_done(work: asyncio.Task[None], stop: asyncio.Event) -> bool:
    """Wait for the work, or for `stop`, which cancels it. True: it was stopped; otherwise its errors are raised."""
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
            return False
        return True
    finally:
        stopping.cancel()
        work.cancel()
        await asyncio.gather(work, stopping, return_exceptions=True)
