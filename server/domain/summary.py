"""The summary of what fell out of a model's window: which one stands, and when the next one is due. Pure.

A summary reaches from the first message to one that it is named after, so it is good for exactly the branches on
which that one lies: an edit makes another branch, and never changes a message. Only a retraction does, so a summary
knows how many of the messages up to its last were retracted when it was made; that number only grows, and where it has
grown, what was taken back may be in it, and it is void.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
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
    """So many messages of the conversation up to `seq`, on any branch, were retracted before their texts were read."""
    model: str
    at: datetime


def stands(summary: Summary, retracted: Sequence[int]) -> bool:
    """Whether nothing in it was taken back since; `retracted` are the `seq`s of all that was, sorted."""
    return bisect_right(retracted, summary.seq) == summary.retracted


def latest(summaries: Sequence[Summary], path: Sequence[str], retracted: Sequence[int]) -> Summary | None:
    """The one that stands and reaches farthest along a branch."""
    places = {name: place for place, name in enumerate(path)}
    standing = [one for one in summaries if one.id in places and stands(one, retracted)]
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
