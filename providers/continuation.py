"""Going on with an answer that another stream began: how to ask for the rest, and how not to say anything twice.

Some models go on by themselves where the assistant's turn stands last (a *prefill*). The others are asked in words,
and asked to begin with the last words that are there: so the seam is found exactly, spaces included. What they
repeat is trimmed, whether they keep to that, begin with a longer stretch, or begin the whole answer anew.

Pure, but for `going_on`, which applies it to a stream.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from providers.contract import Delta, Finish, Prompt, TextDelta, Turn, UsageReport

_ANCHOR = 48
"""Code points of the kept text that a model is asked to repeat, at the most; from the beginning of a word."""

_LEAST = 8
"""A shorter repetition may be chance, unless it is of all that was kept."""

_REACH = 4096
"""So far back from the end a repetition may begin; besides, at the very beginning."""


def turns_to_go_on(prompt: Prompt, *, prefill: bool) -> tuple[Turn, ...]:
    """The turns that bring a model to go on after `prompt.kept`."""
    kept = prompt.kept.rstrip() if prefill else prompt.kept
    if not kept.strip():
        return prompt.turns
    if prefill:
        # Without the space at its end: Anthropic refuses it, and a tokenizer would have put it before the next word.
        return (*prompt.turns, Turn("assistant", kept))
    return (*prompt.turns, Turn("assistant", kept), Turn("user", _request(kept)))


def _request(kept: str) -> str:
    return (
        "Your last message was cut off. Write the rest of it: repeat its last words exactly as they stand between "
        f"the quotes, and go on from there, in the same language and form, without any remark. «{anchor(kept)}»"
    )


def anchor(kept: str) -> str:
    """The last words of a text."""
    tail = kept[-_ANCHOR:]
    if len(kept) > _ANCHOR:
        cut = next((at for at, char in enumerate(tail) if char.isspace()), None)
        if cut is not None and cut < len(tail) - _LEAST:
            tail = tail[cut:]
    return tail.lstrip()


def overlap(kept: str, answer: str) -> int:
    """How many code points at the beginning of an answer stand at the end of `kept` already.

    An answer that begins anew and ends before it gets further than `kept` is repetition altogether.
    """
    if not kept or not answer:
        return 0
    if kept.startswith(answer) and len(answer) >= min(_LEAST, len(kept)):
        return len(answer)
    longest = next((kept[at:] for at in _places(kept) if answer.startswith(kept[at:])), "")
    return len(longest) if len(longest) >= min(_LEAST, len(kept)) else 0


def _places(kept: str) -> list[int]:
    """Where a repetition may begin, the longest first."""
    near = range(max(0, len(kept) - _REACH), len(kept))
    return list(near) if near.start == 0 else [0, *near]


class Seam:
    """Trims an answer as it arrives, in pieces of any size; what comes out is `answer[overlap(kept, answer):]`.

    Text is held back only for as long as it may still turn out to be repetition.
    """

    def __init__(self, kept: str) -> None:
        self._kept = kept
        self._held = ""
        self._live: list[int] | None = _places(kept)
        """Where in `kept` all that is held may stand and not be at the end yet; None once that is decided."""
        self._best = 0

    def feed(self, piece: str) -> str:
        """Take a piece; returns what is new for certain."""
        if self._live is None:
            return piece
        kept, begins, self._held = self._kept, len(self._held), self._held + piece
        held = self._held
        live: list[int] = []
        for at in self._live:
            if kept.startswith(held[begins:], at + begins) and at + len(held) < len(kept):
                live.append(at)
            elif held.startswith(kept[at + begins :], begins):
                self._best = max(self._best, len(kept) - at)
        self._live = live
        return "" if live else self._decide()

    def end(self) -> str:
        """What is still held back when the answer ends."""
        if self._live is None:
            return ""
        if self._live[:1] == [0] and len(self._held) >= min(_LEAST, len(self._kept)):
            self._best = len(self._held)
        return self._decide()

    def _decide(self) -> str:
        least = min(_LEAST, len(self._kept))
        told = self._held[self._best :] if self._best >= least else self._held
        self._live, self._held = None, ""
        return told


class Spaces(Seam):
    """The seam of a prefill: all that may come twice is the space at its end, which was not sent."""

    def __init__(self, kept: str) -> None:
        super().__init__("")
        self._owed = kept[len(kept.rstrip()) :]

    def feed(self, piece: str) -> str:
        """Take a piece; returns what is new for certain."""
        while self._owed and piece and piece[0] == self._owed[0]:
            piece, self._owed = piece[1:], self._owed[1:]
        if piece:
            self._owed = ""
        return piece

    def end(self) -> str:
        """Nothing is ever held back."""
        return ""


async def going_on(
    stream: AsyncGenerator[Delta, None], kept: str, *, prefill: bool
) -> AsyncGenerator[Delta, None]:
    """The stream without what stands in `kept` already."""
    seam = Spaces(kept) if prefill else Seam(kept)
    async with aclosing(stream):
        async for delta in stream:
            if isinstance(delta, TextDelta):
                if told := seam.feed(delta.text):
                    yield delta if told is delta.text else TextDelta(told)
                continue
            if isinstance(delta, UsageReport | Finish) and (told := seam.end()):
                yield TextDelta(told)
            yield delta
