"""What all fault tests share: how large they are, and the chance that they leave things to.

`CHAOS=long` gives the full sizes. Each test prints the seed of its chance; `CHAOS_SEED` gives it back.
"""

import os
import random
from typing import TypeVar

import pytest

LONG = os.environ.get("CHAOS") == "long"

T = TypeVar("T")


def sized(short: T, long: T) -> T:
    """The size of the default run, or of the long one."""
    return long if LONG else short


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Give what decides instead of us, and say how to have it decide the same again."""
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"\n{request.node.name}: CHAOS_SEED={seed}")
    return random.Random(seed)
