"""One answer as it is made: from the providers' deltas to the draft, and in the end to what is stored."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from providers.chain import Begins
from providers.contract import (
    CitationDelta,
    Delta,
    Finish,
    Prompt,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    UsageReport,
    estimate_tokens,
)
from providers.contract import Usage as TokenUsage
from providers.errors import ProviderError
from providers.pacing import resting
from providers.prices import cost
from providers.profiles import Profile
from providers.tokens import estimate
from realtime.log.writer import DraftWriter
from server.commands.announce import draft_header
from server.domain import wire
from server.domain.answer import Citation, Span, Timing, ToolCall, Usage, total_cost, total_usage
from server.domain.reply import Reply

_MOST_REASONING = 200_000
"""Code points of thinking that are stored; all of it is streamed."""

_WORTH_TELLING_SECONDS = 1.0


class Answers(Protocol):
    """Whoever answers: `providers.chain.Chain`."""

    @property
    def name(self) -> str:
        """Who is asked first."""
        ...

    def stream(self, prompt: Prompt) -> AsyncGenerator[Delta | Begins, None]:
        """The deltas, and who has the answer from where on."""
        ...


@dataclass(slots=True)
class _Part:
    """What one provider wrote of it."""

    begins: Begins
    asked: datetime
    first: datetime | None = None
    pieces: list[str] = field(default_factory=list[str])
    usage: TokenUsage | None = None
    request_id: str | None = None
    outcome: str = "cancelled"


class Generation:
    """Streams one prompt into one draft. It may be stopped at any `await`; what there is stays.

    `kept` is the text that an earlier attempt left to this one, `known` the profile of the model that wrote it.
    """

    def __init__(
        self,
        reply: Reply,
        writer: DraftWriter,
        clock: Callable[[], datetime],
        started: datetime,
        kept: str = "",
        known: Profile | None = None,
    ) -> None:
        self._reply = reply
        self._writer = writer
        self._clock = clock
        self._started = started
        self._first_token: datetime | None = None
        self._kept = kept
        self._known = known
        self._pieces: list[str] = [kept] if kept else []
        self._parts: list[_Part] = []
        self._prompt: Prompt | None = None
        self._reasoning_pieces: list[str] = []
        self._reasoning_length = 0
        self._calls: list[ToolCall] = []
        self._citations: list[Citation] = []
        self.finish: str | None = None

    async def run(self, answers: Answers, prompt: Prompt) -> None:
        """Read until the answer is whole. Errors: `ProviderError`, `StaleWriter`.

        The loop waits for nothing but the provider, as long as there is room in the draft's buffer; the provider looks
        for more no oftener than text is appended.
        """
        self._prompt = prompt
        told = (answers.name, prompt.model)
        writer, pieces, part = self._writer, self._pieces, None
        try:
            with resting(writer.rest):
                async with aclosing(answers.stream(prompt)) as deltas:
                    async for delta in deltas:
                        match delta:
                            case TextDelta(text) if part is not None:
                                if part.first is None:
                                    self._first_token_of(part)
                                pieces.append(text)
                                part.pieces.append(text)
                                writer.write(text, self._delta)
                            case Begins():
                                told, part = self._begin(delta, told)
                                pieces = self._pieces
                            case _ if part is not None:
                                self._take(delta, part)
                            case _:
                                pass
                        if writer.full:
                            await self._wait_for_room()
        except ProviderError as error:
            if part is not None:
                part.outcome = error.code
            raise

    @property
    def text(self) -> str:
        """What there is so far."""
        return "".join(self._pieces)

    def usage(self) -> Usage | None:
        """What all providers of the answer came to: counted by them, or else estimated."""
        return total_usage(self.provenance())

    def ended(self, now: datetime) -> dict[str, Any]:
        """What every end of a reply tells."""
        text, spans = self.text, self.provenance()
        return {
            "conversation": self._reply.conversation,
            "at": now,
            "reply": self._reply.id,
            "attempt": self._writer.attempt,
            "text": text,
            "length": len(text),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "usage": total_usage(spans),
            "cost": total_cost(spans),
            "timing": self._timing(now),
            "reasoning": "".join(self._reasoning_pieces)[:_MOST_REASONING] or None,
            "tool_calls": self._calls,
            "citations": self._citations,
            "provenance": spans,
        }

    def provenance(self) -> list[Span]:
        """Who wrote which part of the text, what it came to, and how it went."""
        spans: list[Span] = []
        at = 0
        if self._kept:
            at = len(self._kept)
            spans.append(self._span_before(at))
        for part in self._parts:
            begins, length = part.begins, sum(map(len, part.pieces))
            usage = self._usage_of(part)
            spans.append(
                Span(
                    provider=begins.provider,
                    model=begins.model,
                    attempt=self._writer.attempt,
                    start=at,
                    end=at + length,
                    outcome=part.outcome,
                    usage=_told(usage),
                    cost=usage and cost(begins.profile, begins.model, usage),
                    first_token_ms=_milliseconds(part.asked, part.first) if part.first else None,
                    request_id=part.request_id,
                )
            )
            at += length
        return spans

    # ── what comes ───────────────────────────────────────────────────────────────────────────────────────────

    def _take(self, delta: Delta | Begins, part: _Part) -> None:
        """All but text."""
        match delta:
            case ReasoningDelta(text):
                self._writer.aside(text, self._reasoning, self._reasoning_length)
                self._reasoning_pieces.append(text)
                self._reasoning_length += len(text)
            case ToolCallDelta(identifier, name, arguments):
                self._calls.append(ToolCall(id=identifier, name=name, arguments=arguments))
                call = wire.CallBody(id=identifier, name=name, arguments=arguments)
                self._tell(wire.ReplyToolCall(**self._head(), call=call))
            case CitationDelta(url, title, quote):
                self._citations.append(Citation(url=url, title=title, quote=quote))
                citation = wire.CitationBody(url=url, title=title, quote=quote)
                self._tell(wire.ReplyCitation(**self._head(), citation=citation))
            case UsageReport(usage):
                part.usage = usage
            case Finish(reason, request_id):
                self.finish = reason
                part.request_id = request_id
                part.outcome = "completed"
            case _:
                pass

    def _begin(self, begins: Begins, told: tuple[str, str]) -> tuple[tuple[str, str], _Part]:
        """A provider has the answer from here on; the clients hear of it where they have not been told."""
        if self._parts and begins.instead_of is not None:
            self._parts[-1].outcome = begins.instead_of.code
        part = _Part(begins, self._clock())
        kept = self.text
        anew = begins.keep < len(kept)
        if anew:
            # What the others wrote is void; that they did, and what it cost, is not.
            self._pieces, self._kept, kept = [], "", ""
            for other in self._parts:
                other.pieces.clear()
            self._reasoning_pieces, self._reasoning_length = [], 0
            self._calls.clear()
            self._citations.clear()
        self._parts.append(part)
        now = (begins.provider, begins.model)
        if now != told or begins.notices or begins.instead_of or anew:
            self._tell_begin(begins, kept, anew=anew)
        return now, part

    def _tell_begin(self, begins: Begins, kept: str, *, anew: bool) -> None:
        out, attempt = begins.instead_of, self._writer.attempt
        started = wire.ReplyStarted(
            **self._head(),
            provider=begins.provider,
            model=begins.model,
            attempt=attempt,
            notices=list(begins.notices),
            instead_of=out
            and wire.ReasonBody(provider=out.provider, model=out.model, reason=out.code, detail=out.detail),
        )
        header = draft_header(status="running", provider=begins.provider, model=begins.model)
        if anew:
            restarted = wire.ReplyRestarted(**self._head(), attempt=attempt, keep=0)
            self._writer.begin_again(restarted.body(), header, "")
            self._tell(started)
        else:
            self._writer.begin_again(started.body(), header, kept)

    def _first_token_of(self, part: _Part) -> None:
        part.first = self._clock()
        if self._first_token is None:
            self._first_token = part.first

    async def _wait_for_room(self) -> None:
        """The log is away or slow, and the provider waits with us; the clients hear of it once they can."""
        clock = asyncio.get_running_loop().time
        began = clock()
        await self._writer.room()
        if (waited := clock() - began) >= _WORTH_TELLING_SECONDS:
            detail = f"The text waited {waited:.0f} s for its way to you, and the model with it."
            self._tell(wire.ReplyProgress(**self._head(), stage="delayed", detail=detail))

    # ── what it came to ──────────────────────────────────────────────────────────────────────────────────────

    def _usage_of(self, part: _Part) -> TokenUsage | None:
        """As the provider counted; else estimated, but for a provider that failed before it said anything."""
        if part.usage is not None:
            return part.usage
        unheard = part.first is None and part.outcome not in ("completed", "cancelled")
        if unheard or self._prompt is None:
            return None
        profile = part.begins.profile
        asked = estimate([turn.text for turn in self._prompt.turns], profile)
        return TokenUsage(asked, estimate(["".join(part.pieces)], profile), exact=False)

    def _span_before(self, end: int) -> Span:
        """What an attempt before this one wrote: its worker is gone, and took the account with it.

        It was asked what this one is asked; both are counted as its model counts, and priced as its model is.
        """
        reply, known = self._reply, self._known
        if known is None:
            used = TokenUsage(0, estimate_tokens(self._kept), exact=False)
        else:
            asked = [turn.text for turn in self._prompt.turns] if self._prompt else []
            used = TokenUsage(estimate(asked, known), estimate([self._kept], known), exact=False)
        return Span(
            provider=reply.provider or "",
            model=reply.model or "",
            attempt=self._writer.attempt - 1,
            start=0,
            end=end,
            outcome="worker_lost",
            usage=_told(used),
            cost=known and cost(known, reply.model or "", used),
        )

    def _timing(self, now: datetime) -> Timing:
        accepted, first = self._reply.created_at, self._first_token
        return Timing(
            queued_ms=_milliseconds(accepted, self._started),
            first_token_ms=_milliseconds(self._started, first) if first else None,
            total_ms=_milliseconds(accepted, now),
        )

    # ── what is told ─────────────────────────────────────────────────────────────────────────────────────────

    def _head(self) -> dict[str, Any]:
        return {"conversation": self._reply.conversation, "reply": self._reply.id}

    def _tell(self, event: wire.Event) -> None:
        self._writer.event(event.body())

    def _delta(self, at: int, text: str) -> bytes:
        reply = self._reply
        return wire.ReplyDelta(conversation=reply.conversation, reply=reply.id, at=at, text=text).body()

    def _reasoning(self, at: int, text: str) -> bytes:
        reply = self._reply
        return wire.ReplyReasoning(conversation=reply.conversation, reply=reply.id, at=at, text=text).body()


def _told(usage: TokenUsage | None) -> Usage | None:
    if usage is None:
        return None
    return Usage(
        input=usage.input,
        output=usage.output,
        exact=usage.exact,
        cached=usage.cached,
        reasoning=usage.reasoning,
    )


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
