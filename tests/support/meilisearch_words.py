"""How the stand-in for Meilisearch reads a query and matches a text: prefixes, phrases, exclusions, typing errors."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

_WORD = re.compile(r"\w+")
_CONDITION = re.compile(r'(\w+) (=|>=|<) (?:"((?:[^"\\]|\\.)*)"|(-?\d+))')


def fold(word: str) -> str:
    """Without case and accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(c))


def passes(row: dict[str, Any], condition: str) -> bool:
    """Whether a document passes one condition; strings are compared without case and outer spaces."""
    found = _CONDITION.fullmatch(condition)
    if found is None:
        raise ValueError(condition)
    name, operator, text, number = found.groups()
    value = row.get(name)
    if operator != "=":
        return value >= int(number) if operator == ">=" else value < int(number)
    wanted = re.sub(r"\\(.)", r"\1", text).strip().lower()
    values = value if isinstance(value, list) else [value]
    return any(isinstance(one, str) and one.strip().lower() == wanted for one in values)


def _distance(one: str, other: str) -> int:
    before = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b)))
        before = row
    return before[-1]


@dataclass(frozen=True)
class Match:
    """How well a text fits, and where: byte offsets and lengths."""

    words: int
    typos: int
    places: list[dict[str, int]]


class Query:
    """A query in Meilisearch's words, with the matching strategy `last`."""

    def __init__(self, text: str, typos: dict[str, Any]) -> None:
        self.without = [fold(a or b) for a, b in re.findall(r'(?<!\S)-(?:"([^"]*)"|(\w+))', text)]
        rest = re.sub(r'(?<!\S)-(?:"[^"]*"|\w+)', " ", text)
        self.phrases = [_WORD.findall(fold(one)) for one in re.findall(r'"([^"]*)"', rest)]
        self.words = [fold(one) for one in _WORD.findall(re.sub(r'"[^"]*"', " ", rest))]
        self.open_end = bool(self.words) and not text[-1].isspace()
        self.sizes = typos

    def match(self, text: str) -> Match | None:
        """None when it does not fit."""
        found = [(m.start(), m.end(), fold(m[0])) for m in _WORD.finditer(text)]
        plain = [word for _, _, word in found]
        if any(self._runs(plain, _WORD.findall(one)) for one in self.without):
            return None
        places: list[tuple[int, int]] = []
        for phrase in self.phrases:
            runs = self._runs(plain, phrase)
            if not runs:
                return None
            places += [found[at + i][:2] for at in runs for i in range(len(phrase))]
        matched = typos = 0
        for number, word in enumerate(self.words):
            prefix = self.open_end and number == len(self.words) - 1
            fits = [(self._typos(word, other, prefix), start, end) for start, end, other in found]
            near = [(cost, start, end) for cost, start, end in fits if cost is not None]
            if not near:
                break
            matched += 1
            typos += min(cost for cost, _, _ in near)
            places += [(start, end) for _, start, end in near]
        if self.words and not matched:
            return None
        return Match(matched, typos, [_bytes(text, place) for place in sorted(set(places))])

    def _typos(self, wanted: str, word: str, prefix: bool) -> int | None:
        if word == wanted or (prefix and word.startswith(wanted)):
            return 0
        allowed = sum(len(wanted) >= self.sizes[name] for name in ("oneTypo", "twoTypos"))
        cut = word[: len(wanted)] if prefix else word
        if not allowed or abs(len(cut) - len(wanted)) > allowed:
            return None
        cost = _distance(wanted, cut)
        return cost if cost <= allowed else None

    @staticmethod
    def _runs(words: list[str], phrase: list[str]) -> list[int]:
        size = len(phrase)
        return [at for at in range(len(words) - size + 1) if size and words[at : at + size] == phrase]


def _bytes(text: str, place: tuple[int, int]) -> dict[str, int]:
    start, end = place
    return {"start": len(text[:start].encode()), "length": len(text[start:end].encode())}
