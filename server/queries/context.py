"""What a model gets to see: its character's instructions, and the last messages of the branch that fit.

The oldest messages go first when there is not enough room; the instructions and the message to be answered never go.
Where there is a summary of what went (`server.domain.summary`), it stands with the instructions, before the messages.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from providers.contract import Prompt, Tool, Turn, estimate_tokens
from server.cache.characters import KeptCharacters
from server.cache.contract import Cache
from server.domain.errors import Conflict, NotFound
from server.domain.reply import Reply
from server.domain.summary import clipped, latest
from server.queries.windows import Passage, Question, Windows
from server.storage.reads import Reads
from server.storage.summaries import Summaries

_BATCH = 16
_TOKENS_PER_TURN = 4
_ANSWER_SHARE = 4
"""An answer without a limit of its own gets one part in so many of the window."""
_SUMMARY_SHARE = 4
"""A summary gets at most one part in so many of what the instructions leave."""
_SUMMED_UP = "What was said before this, summed up:\n"

Count = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class Context:
    """A prompt, and how many older messages were left out for want of room."""

    prompt: Prompt
    left_out: int
    summarized: int = 0
    """So many of those left out are in the summary that the prompt has."""
    kept: int = 0
    """How many messages are in the prompt."""
    summary_tokens: int = 0
    """How long a summary may be to be read whole."""


@dataclass(frozen=True, slots=True)
class Told:
    """What leads to a message, that one at the end, and how its reply is to be made."""

    version: int
    """Of the conversation, before they were read."""
    head: str | None
    """The last message of the chosen branch then."""
    instructions: str
    passages: list[Passage]


class Contexts:
    """Builds prompts."""

    def __init__(self, reads: Reads, cache: Cache, summaries: Summaries | None = None) -> None:
        """Without `summaries`, what does not fit is left out, and that is all."""
        self._reads = reads
        self._summaries = summaries
        self._characters = KeptCharacters(reads, cache)
        self._windows = Windows(reads, cache)

    async def told(self, conversation: str, message: str, question: Question | None = None) -> Told:
        """What a reply to a message is made of, whoever makes it. Errors: `NotFound`, `Unavailable`.

        `question`: what the message says, where that is known.
        """
        known, version = await self._reads.conversation_at(conversation)
        instructions = await self._instructions(known.character)
        return Told(
            version, known.head, instructions, await self._windows(conversation, version, message, question)
        )

    async def ended(self, conversation: str, version: int, told: Told, reply: Passage) -> None:
        """A reply was made of what was told, and nothing else happened since: the next one goes on from there."""
        await self._windows.ended(conversation, version, told.passages, reply)

    async def __call__(
        self, reply: Reply, model: str, window: int, count: Count | None = None, told: Told | None = None
    ) -> Context:
        """The prompt for a reply within `window` tokens, as `count` counts them.

        `told`: where that was read already.
        Errors: `NotFound`, `Unavailable`; `Conflict` with `retracted`, where nothing is left to be answered.
        """
        told = told or await self.told(reply.conversation, reply.message)
        instructions, messages = told.instructions, _with_question(told.passages)
        budget, count = window - (reply.settings.max_tokens or window // _ANSWER_SHARE), count or estimated
        turns, gone = fit(instructions, messages, budget, count)
        left_out = gone + await self._before(reply.conversation, messages[0])
        share = (budget - sum(count([instructions]))) // _SUMMARY_SHARE
        summarized = 0
        if left_out and (found := await self._summary(reply.conversation, messages)) is not None:
            reach, text = found
            if note := clipped(text, share - _TOKENS_PER_TURN, count):
                before = left_out - gone
                summed_up = f"{instructions}\n\n{_SUMMED_UP}{note}".lstrip()
                turns, gone = fit(summed_up, messages, budget, count)
                left_out, summarized = before + gone, before + min(gone, reach)
        kept = len([message for message in messages if _turns(message)]) - gone
        return Context(_prompt(reply, model, turns), left_out, summarized, kept, max(0, share))

    async def _before(self, conversation: str, first: Passage) -> int:
        if first.parent is None:
            return 0
        return await self._reads.how_many_before(conversation, first.parent, first.seq, chosen=first.chosen)

    async def _summary(self, conversation: str, messages: list[Passage]) -> tuple[int, str] | None:
        """A summary that ends among these messages, and how many of them are in it; none that has the question."""
        if self._summaries is None or not (kept := await self._summaries.of(conversation)):
            return None
        path = [message.id for message in messages[:-1]]
        found = latest(kept, path, await self._summaries.changes(conversation))
        if found is None or not found.text:
            return None
        reach = messages[: path.index(found.id) + 1]
        return len([message for message in reach if _turns(message)]), found.text

    async def _instructions(self, character: str | None) -> str:
        if character is None:
            return ""

        try:
            return (await self._characters.character(character)).system_prompt
        except NotFound:
            return ""  # deleted meanwhile: the conversation goes on without


def _with_question(messages: list[Passage]) -> list[Passage]:
    """With the last one, which is to be answered, also where it was put away before the answer began."""
    question = msgspec.structs.replace(messages[-1], archived=False)
    if not _turns(question):
        raise Conflict("retracted", "The message was taken back before its answer began.")
    return [*messages[:-1], question]


def _prompt(reply: Reply, model: str, turns: tuple[Turn, ...]) -> Prompt:
    settings = reply.settings
    return Prompt(
        model=model,
        turns=turns,
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        top_p=settings.top_p,
        stop=tuple(settings.stop or ()),
        effort=settings.reasoning_effort,
        tools=tuple(Tool(tool.name, tool.description, tool.parameters) for tool in settings.tools or ()),
    )


def estimated(texts: Sequence[str]) -> list[int]:
    """By their lengths, where no better count is at hand."""
    return [estimate_tokens(text) for text in texts]


def fit(
    instructions: str, messages: list[Passage], budget: int, count: Count = estimated
) -> tuple[tuple[Turn, ...], int]:
    """The turns that fit into `budget` tokens, and how many messages do not."""
    told = [turns for message in messages if (turns := _turns(message))]
    left = budget - (count([instructions])[0] + _TOKENS_PER_TURN if instructions else 0)
    kept = len(told)
    while kept:
        # Some at a time, from the end: of a long conversation most need not be counted.
        batch = told[max(0, kept - _BATCH) : kept]
        for cost in reversed(_costs(batch, count)):
            left -= cost
            if left < 0 and kept < len(told):
                return _joined(instructions, told[kept:]), kept
            kept -= 1
    return _joined(instructions, told), 0


def _joined(instructions: str, told: list[list[Turn]]) -> tuple[Turn, ...]:
    turns = [turn for turns in told for turn in turns]
    return (Turn("system", instructions), *turns) if instructions else tuple(turns)


def _turns(message: Passage) -> list[Turn]:
    """A message as a model reads it; none that was put away, nor calls of tools that nobody answered.

    On the latter every provider insists.
    """
    calls = tuple(call for call in message.calls if call.id in message.results)
    if message.archived or not (message.text or calls):
        return []
    turns = [Turn(message.role, message.text, calls)]
    return turns + [Turn("tool", message.results[call.id], call_id=call.id) for call in calls]


def _costs(told: list[list[Turn]], count: Count) -> list[int]:
    texts = [
        "\n".join(part for turn in turns for part in (turn.text, *(call.arguments for call in turn.calls)))
        for turns in told
    ]
    return [tokens + _TOKENS_PER_TURN for tokens in count(texts)]
