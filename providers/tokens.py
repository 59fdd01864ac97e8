"""How many tokens a text is, before a provider has said so: with the model's own encoding where that is known.

Elsewhere another encoding stands in, with a margin, because a context that is too long is refused, and one that is a
little shorter is not missed by anybody.
"""

from collections.abc import Sequence
from math import ceil

import toktok

from providers.profiles import Profile

PER_TURN = 4
"""What a message costs beside its text."""


def counts(texts: Sequence[str], profile: Profile) -> list[int]:
    """The tokens of each text, on the safe side; an empty text has none."""
    return [ceil(count * profile.margin) for count in toktok.batch_count(texts, profile.encoding, threads=1)]


def estimate(texts: Sequence[str], profile: Profile) -> int:
    """The tokens of all texts together, as an account where the provider gave none; say `exact=False` beside it."""
    return sum(toktok.batch_count(texts, profile.encoding, threads=1))


def warm(profile: Profile) -> None:
    """Load an encoding, which takes up to a third of a second: not in the loop, and not in somebody's first reply."""
    toktok.batch_count(["tertulia"], profile.encoding, threads=1)
