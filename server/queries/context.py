"""What a model gets to see: its character's instructions, and the last messages of the branch that fit.

The oldest messages go first when there is not enough room; the instructions and the message to be answered never go.
"""

from dataclasses import dataclass

from providers.contract import Prompt, Turn, estimate_tokens
from server.domain.errors import NotFound
from server.domain.message import Message
from server.domain.reply import Reply
from server.storage.reads import Reads

_MESSAGES = 200
_TOKENS_PER_TURN = 4
_ANSWER_SHARE = 4
"""An answer without a limit of its own gets one part in so many of the window."""


@dataclass(frozen=True, slots=True)
class Context:
    """A prompt, and how many older messages were left out for want of room."""

    prompt: Prompt
    left_out: int


class Contexts:
    """Builds prompts."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def __call__(self, reply: Reply, model: str, window: int) -> Context:
        """The prompt for a reply within `window` tokens. Errors: `NotFound`, `Unavailable`."""
        conversation = await self._reads.conversation(reply.conversation)
        instructions = ""
        if conversation.character is not None:
            try:
                instructions = (await self._reads.character(conversation.character)).system_prompt
            except NotFound:
                instructions = ""  # deleted meanwhile: the conversation goes on without
        asked = await self._reads.message(reply.message)
        messages = await self._reads.branch(asked, _MESSAGES)
        answer = reply.settings.max_tokens or window // _ANSWER_SHARE
        turns, left_out = fit(instructions, messages, window - answer)
        prompt = Prompt(
            model=model,
            turns=turns,
            temperature=reply.settings.temperature,
            max_tokens=reply.settings.max_tokens,
        )
        return Context(prompt, left_out)


def fit(instructions: str, messages: list[Message], budget: int) -> tuple[tuple[Turn, ...], int]:
    """The turns that fit into `budget` tokens, and how many messages do not."""
    told = [message for message in messages if message.text]
    left = budget - (_cost(instructions) if instructions else 0)
    turns: list[Turn] = []
    for message in reversed(told):
        left -= _cost(message.text)
        if left < 0 and turns:
            break
        turns.append(Turn(message.role, message.text))
    left_out = len(told) - len(turns)
    if instructions:
        turns.append(Turn("system", instructions))
    return tuple(reversed(turns)), left_out


def _cost(text: str) -> int:
    return estimate_tokens(text) + _TOKENS_PER_TURN
