"""How many tokens a text is, before a provider has said so: with the model's own encoding where that is known.

Elsewhere another encoding stands in, with a margin, because a context that is too long is refused, and one that is a
little shorter is not missed by anybody.
"""

from collections.abc import Iterable, Sequence
from math import ceil

import toktok

from providers.config import ProviderConfig
from providers.contract import Turn
from providers.profiles import Profile, profile

PER_TURN = 4
"""What a message costs beside its text."""

_ANSWER_SHARE = 4
_BATCH = 16


def counts(texts: Sequence[str], known: Profile) -> list[int]:
    """The tokens of each text, on the safe side; an empty text has none."""
    return [ceil(count * known.margin) for count in toktok.batch_count(texts, known.encoding, threads=1)]


def estimate(texts: Sequence[str], known: Profile) -> int:
    """The tokens of all texts together, as an account where the provider gave none; say `exact=False` beside it."""
    return sum(toktok.batch_count(texts, known.encoding, threads=1))


def warm(configs: Iterable[ProviderConfig]) -> None:
    """Load the encodings of the models that are asked by default.

    Each takes up to a third of a second: not to be spent in the loop, in the middle of somebody's first reply.
    """
    for encoding in {profile(config, config.default_model or "").encoding for config in configs}:
        toktok.batch_count(["tertulia"], encoding, threads=1)


def room(window: int, max_tokens: int | None) -> int:
    """What a prompt may have of a window: an answer without a limit of its own gets one part in four."""
    return window - (max_tokens or window // _ANSWER_SHARE)


def within(
    turns: Sequence[Turn], window: int, max_tokens: int | None, known: Profile
) -> tuple[tuple[Turn, ...], int]:
    """The turns that fit, and how many do not: the oldest go first, instructions and the last turn never.

    What a tool gave goes with the call that wanted it: one without the other is refused everywhere.
    """
    instructions = [turn for turn in turns if turn.role == "system"]
    spoken = [turn for turn in turns if turn.role != "system"]
    left = room(window, max_tokens) - sum(costs(instructions, known))
    kept = len(spoken)
    for start in range(len(spoken), 0, -_BATCH):
        batch = spoken[max(0, start - _BATCH) : start]
        for cost in reversed(costs(batch, known)):
            left -= cost
            if left < 0 and kept < len(spoken):
                break
            kept -= 1
        else:
            continue
        break
    while kept < len(spoken) - 1 and spoken[kept].role == "tool":
        kept += 1
    return (*instructions, *spoken[kept:]), kept


def costs(turns: Sequence[Turn], known: Profile) -> list[int]:
    """What each turn takes of the window, its calls included."""
    texts = ["\n".join((turn.text, *(call.arguments for call in turn.calls))) for turn in turns]
    return [count + PER_TURN for count in counts(texts, known)]
