"""The summary of what fell out of a model's window: which one stands, and when the next one is due. Pure.

A summary reaches from the first message to one that it is named after, so it is good for exactly the branches on
which that one lies: an edit makes another branch, and never changes a message. Only taking one back does, and putting
it away or taking it out again, so a summary knows how often that had happened up to its last message when it was made;
that number only grows, and where it has grown, what is for no model any more may be in it, and it is void.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from server.domain.ids import ConversationId, MessageId

Count = Callable[[Sequence[str]], list[int]]

_TRIES = 4
_EXCHANGE = 2
"""The next question and its answer, which push out as many."""


class Summary(BaseModel):
    """What was said from the first message of a branch up to the one whose id it has."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: MessageId
    conversation: ConversationId
    seq: int
    text: str
    retracted: int
    """So many `changes` of the messages up to `seq`, on any branch, came before their texts were read."""
    model: str
    at: datetime


def changes(messages: Iterable[tuple[int, bool, int]]) -> list[int]:
    """The `seq` of each message, sorted: once if it was taken back, and once for each of its turns.

    `messages`: of each its `seq`, whether it was taken back, and its `turns`.
    """
    return sorted(seq for seq, retracted, turns in messages for _ in range(retracted + turns))


def stands(summary: Summary, changed: Sequence[int]) -> bool:
    """Whether all in it is still as it was; `changed` are the `changes` of the conversation."""
    return bisect_right(changed, summary.seq) == summary.retracted


def latest(summaries: Sequence[Summary], path: Sequence[str], changed: Sequence[int]) -> Summary | None:
    """The one that stands and reaches farthest along a branch."""
    places = {name: place for place, name in enumerate(path)}
    standing = [one for one in summaries if one.id in places and stands(one, changed)]
    return max(standing, key=lambda one: places[one.id], default=None)


def due(total: int, kept: int, reached: int) -> int | None:
    """How many messages of a branch a new summary is to reach over; None where the old one reaches far enough.

    Of `total` messages the last `kept` are seen by the model, and `reached` are in the old one. A summary reaches
    ahead, over half of what is seen still, so that what falls out next is in it and not every reply needs another.
    """
    cut = total - kept
    if cut <= 0 or reached >= cut + kept // 4 + _EXCHANGE:
        return None
    wanted = min(cut + kept // 2 + _EXCHANGE, total - 1)  # never over the question
    return wanted if wanted > reached else None


def clipped(text: str, budget: int, count: Count) -> str:
    """As much of the beginning of a text as `budget` tokens hold."""
    for _ in range(_TRIES):
        tokens = count([text])[0]
        if tokens <= budget or not text:
            return text
        text = text[: max(0, len(text) * budget // tokens - 1)]
    return ""
