"""The language of a text, as a code of ISO 639-1.

Compact Language Detector 2 is good at sentences and guesses wildly at a few words; those are asked for the small words
of Spanish and English first.
"""

import re
import unicodedata
from typing import Any, cast

import pycld2

_SHORT = 80
_detector = cast("Any", pycld2)  # it has no types
_SPANISH = """
    el la los las un una de del que y en por para con como qué cómo no es está son mi tu su se lo al pero muy más hola
    gracias mientras donde dónde cuando cuándo sobre este esta eso hay
"""
_ENGLISH = """
    the a an of and to in is are was were it its what how my your his her this that there with for from but not very
    hello thanks while where when about which do does did have has
"""
_SMALL_WORDS = {"es": frozenset(_SPANISH.split()), "en": frozenset(_ENGLISH.split())}
_WORD = re.compile(r"\w+")


def language_of(text: str) -> str | None:
    """The language, or None where nothing can be said."""
    # The detector refuses texts with control characters.
    plain = "".join(c for c in text if unicodedata.category(c) not in {"Cc", "Cs", "Cn"} or c in "\n\t")
    if not plain.strip():
        return None
    if len(plain) <= _SHORT and (guess := _by_small_words(plain)) is not None:
        return guess
    try:
        reliable, _, details = _detector.detect(plain, bestEffort=True)
    except _detector.error:
        return None
    code = str(details[0][1])
    if code == "un" or len(code) != 2 or (not reliable and len(plain) <= _SHORT):
        return None
    return "nb" if code == "no" else code


def _by_small_words(text: str) -> str | None:
    words = [word.casefold() for word in _WORD.findall(text)]
    counts = {code: sum(word in small for word in words) for code, small in _SMALL_WORDS.items()}
    best, other = sorted(counts, key=lambda code: counts[code], reverse=True)
    return best if counts[best] > counts[other] and counts[best] * 5 >= len(words) else None
