"""The last messages of a branch, kept from one reply to the next, and never older than the store.

A window says up to which version of the conversation's events it is right. Whoever finds one, however old, reads
anew what the events after that name, and what was said since; so nobody has to be told anything for it to be right, and
nothing that is lost can make it wrong. Where too much has happened, all of it is read anew.

In most talks nothing has: who makes a reply adds its own text to the window that it was made of, and a send says what
it found and what it added (`Question`). Where versions follow one another, all is known, and nothing is read.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from providers.contract import ToolCall
from server.cache.contract import Cache, Kind
from server.domain.message import Message, Role
from server.storage.reads import Reads

MOST = 200
"""Messages in a window."""

_NEAR = 8
_EVENTS = 64


class Passage(msgspec.Struct, frozen=True, array_like=True):
    """What a model reads of a message, and where it stands.

    A message has more than twice as much; what no model reads would only be carried to and fro.
    """

    id: str
    seq: int
    role: Role
    text: str
    parent: str | None
    chosen: bool
    """Whether it was on the chosen branch when it was read."""
    calls: tuple[ToolCall, ...] = ()
    results: dict[str, str] = {}
    """By call: what came of it."""
    archived: bool = False
    """Put away: it has its place, and no model reads it."""


class Window(msgspec.Struct, frozen=True, array_like=True):
    """What a model reads of one branch, each passage the parent of the next."""

    version: int
    passages: list[Passage]


@dataclass(frozen=True, slots=True)
class Question:
    """What a send added: `passage` was all that its conversation said more at `version` than at `since`."""

    since: int
    version: int
    passage: Passage


WINDOWS = Kind(
    "window",
    encode=msgspec.msgpack.Encoder().encode,
    decode=msgspec.msgpack.Decoder(Window).decode,
    seconds=600.0,
    absent_seconds=0.0,
)


def passage(message: Message) -> Passage:
    """What a model reads of it."""
    return Passage(
        message.id,
        message.seq,
        message.role,
        message.text,
        message.parent,
        message.chosen,
        tuple(ToolCall(call.id, call.name, call.arguments) for call in message.tool_calls),
        {result.id: result.output for result in message.tool_results},
        message.archived,
    )


class Windows:
    """Reads what leads to a message. Errors: `NotFound`, `Unavailable`."""

    def __init__(self, reads: Reads, cache: Cache) -> None:
        self._reads = reads
        self._cache = cache

    async def __call__(
        self, conversation: str, version: int, last: str, question: Question | None = None
    ) -> list[Passage]:
        """The last messages of the branch that leads to `last`, that one at the end.

        `version` is the conversation's, read before this was called; `question` is what `last` says, if that is known.
        """
        kept = await self._cache.find(WINDOWS, conversation)
        if question is not None and (before := _before(question, kept, version, last)) is not None:
            return [*before, question.passage][-MOST:]
        passages = await self._continued(kept, conversation, last) if kept is not None else None
        if passages is None:
            passages = _passages(await self._reads.branch(await self._reads.message(last), MOST))
        await self._cache.keep(WINDOWS, conversation, Window(version, passages))
        return passages

    async def ended(self, conversation: str, version: int, passages: list[Passage], reply: Passage) -> None:
        """A reply was made of these, and was all that happened since they were read: at `version` they end with it."""
        window = Window(version, [*passages, reply][-MOST:])
        await self._cache.keep(WINDOWS, conversation, window)

    async def _continued(self, kept: Window, conversation: str, last: str) -> list[Passage] | None:
        places = {one.id: n for n, one in enumerate(kept.passages)}
        named, found = await asyncio.gather(
            self._reads.named_since(conversation, kept.version, _EVENTS),
            self._lineage(kept, conversation, last, places),
        )
        if named is None or found is None:
            return None
        new = _passages(found)
        if new:
            last = new[0].parent or ""
        old = kept.passages[: places[last] + 1]
        if changed := named.intersection(one.id for one in old):
            read = _passages(await self._reads.some_messages(list(changed)))
            anew = {one.id: one for one in read}
            old = [anew.get(one.id, one) for one in old]
        return [*old, *new][-MOST:]

    async def _lineage(
        self, kept: Window, conversation: str, last: str, places: Mapping[str, int]
    ) -> list[Message] | None:
        """What was said since, down to a passage that is kept; nothing where that is the last itself."""
        if last in places:
            return []
        return await self._reads.lineage(conversation, last, places, kept.passages[-1].seq, _NEAR)


def _before(question: Question, kept: Window | None, version: int, last: str) -> list[Passage] | None:
    """What came before a question, where that and the question are all there is; None where nobody here can say."""
    said = question.passage
    if question.version != version or said.id != last:
        return None
    if said.parent is None:
        return []
    if kept is None or kept.version != question.since or not kept.passages:
        return None
    return kept.passages if kept.passages[-1].id == said.parent else None


def _passages(messages: Sequence[Message]) -> list[Passage]:
    return [passage(message) for message in messages]
