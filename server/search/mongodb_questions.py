"""How the MongoDB engine asks, so that no search costs more than so much. Pure.

`$text` gives every message that has any of the words, and a score for each: for a word that stands in most messages of
somebody, that is most messages. So it is counted first, up to a bound and in each language, how often a word stands
there, by its stem, as `$text` itself would find it:

    rare      `$text` finds and scores the messages with any of them, as ever
    frequent  the newest messages with such a word, in its exact form, join those; it counts half of a rare one
    0         nobody has it, or the language takes it for no word: `$text` passes over it

A phrase with a frequent word in it is looked for among the messages with the rarest of its words.

In one conversation the newest messages with a word may lie behind thousands of others'. So the messages of a
conversation are counted as well, and where they are few, they are what is looked through. That is said by a limit that
nothing reaches: left to choose its index, MongoDB keeps to what was best for the word of some earlier question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from server.search.contract import MAX_TOTAL, SearchQuery
from server.search.words import Wanted, phrase_pattern, words_in

MOST_TERMS = 40
"""Words beyond so many are passed over."""
_MOST_COUNTED = 400
"""So many terms, each in each language, are counted; the others are taken for words that nobody has."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one search may cost, whatever is asked and however much somebody has written."""

    frequent: int = 500
    """A word that stands in more of somebody's messages of one language is frequent."""
    newest: int = MAX_TOTAL
    """So many of the messages with a frequent word are looked at, in equal parts of the languages in which one is."""
    scored: int = 1_500
    """So many messages are scored for rare words; rarer ones go first, and what is left then counts as frequent."""
    sample: int = 200
    """So many messages are asked how an unfinished word may go on."""
    whole: int = 2_000
    """A conversation of up to so many messages is looked through, where one is named, and not all that has a word."""


Stage = dict[str, Any]
Counts = Mapping[tuple[str, str], int]
"""By language and term: in how many messages it stands, up to one more than makes it frequent."""


@dataclass(frozen=True, slots=True)
class Term:
    """What `$text` is asked for, and which folded words that is."""

    typed: str
    words: tuple[str, ...]


def terms_of(wanted: Wanted, endings: Sequence[str]) -> list[Term]:
    """The words of a query: those that were typed, and how the last one may go on."""
    typed = [Term(chunk.typed, chunk.words) for chunk in wanted.chunks]
    return [*typed[:MOST_TERMS], *(Term(ending, (ending,)) for ending in endings)]


def phrase_words(wanted: Wanted) -> list[str]:
    """The different words of all phrases, folded."""
    return list(dict.fromkeys(word for phrase in wanted.phrases for word in words_in(phrase)))[:MOST_TERMS]


def counting(
    query: SearchQuery, asked: Sequence[tuple[str, str]], bounds: Bounds, collection: str
) -> list[Stage]:
    """How often each term stands in a language: rows of `{n, place}`, where it stands at all.

    The last place is that of the conversation, where one is named: how many messages it has.
    """
    most = bounds.frequent + 1
    first, *others = [
        _count(query.reader, *one, most, place) for place, one in enumerate(asked[:_MOST_COUNTED])
    ]
    if query.conversation is not None:
        wanted = {"conversation": query.conversation, "reader": query.reader}
        counted: list[Stage] = [{"$count": "n"}, {"$set": {"place": len(asked)}}]
        others.append([{"$match": wanted}, {"$limit": bounds.whole + 1}, *counted])
    return [*first, *({"$unionWith": {"coll": collection, "pipeline": one}} for one in others)]


def _count(reader: str, language: str, term: str, most: int, place: int) -> list[Stage]:
    wanted = {"reader": reader, "stems": language, "$text": {"$search": term, "$language": language}}
    return [{"$match": wanted}, {"$limit": most}, {"$count": "n"}, {"$set": {"place": place}}]


def finding(
    query: SearchQuery,
    wanted: Wanted,
    terms: Sequence[Term],
    languages: Sequence[str],
    counts: Counts,
    bounds: Bounds,
    collection: str,
    size: int | None = None,
) -> tuple[list[Stage], bool]:
    """The page and the total in one question, empty where nothing is to be found; whether it looks at all that fits.

    `size` is how many messages the conversation has, where one is named.
    """
    parts = _parted(terms, languages, counts, bounds)
    share = bounds.newest // max(1, len([1 for part in parts.values() if part.frequent]))
    within = bounds.whole if size is not None and size <= bounds.whole else None
    asking = {one: _Asking(query, wanted, one, bounds.frequent, share, within) for one in languages}
    asked = [_branches(asking[language], parts[language], terms, counts) for language in languages]
    branches = [branch for found, _ in asked for branch in found]
    if not branches:
        return [], True
    first, *others = branches
    united = [{"$unionWith": {"coll": collection, "pipeline": branch}} for branch in others]
    # The same message may be among the newest with a frequent word, and have a rare one.
    once = {"$group": {"_id": "$_id", "at": {"$first": "$at"}, "score": {"$max": "$score"}}}
    order = {"score": -1, "at": -1, "_id": 1} if query.order == "score" else {"at": -1, "_id": 1}
    page = [{"$sort": order}, {"$skip": query.offset}, {"$limit": query.limit}]
    twice = any(part.rare and part.frequent for part in parts.values())
    counted = {"$facet": {"page": page, "total": [{"$limit": MAX_TOTAL}, {"$count": "count"}]}}
    return [*first, *united, *([once] if twice else []), counted], all(whole for _, whole in asked)


@dataclass(frozen=True, slots=True)
class _Asking:
    """A query in one language."""

    query: SearchQuery
    wanted: Wanted
    language: str
    frequent: int
    newest_most: int
    within: int | None
    """The conversation has no more messages than this, and is looked through; None where it is not."""

    def rows(self) -> Stage:
        """What passes the filters."""
        query = self.query
        said = {
            "conversation": query.conversation,
            "user": query.user,
            "role": query.role,
            "topics": query.topic,
            "language": query.language,
        }
        wanted: Stage = {"reader": query.reader, "stems": self.language}
        wanted |= {name: value for name, value in said.items() if value is not None}
        moments = {"$gte": query.since, "$lt": query.until}
        if any(moments.values()):
            wanted["at"] = {name: value for name, value in moments.items() if value is not None}
        return wanted

    def text(self, rare: Sequence[str], frequent: Sequence[str]) -> list[Stage]:
        """By `$text`: any of the rare words, all phrases, none of what is excluded."""
        without = [f'-"{part}"' if " " in part else f"-{part}" for part in self.wanted.without]
        said = [*rare, *(f'"{phrase}"' for phrase in self.wanted.phrases), *without]
        wanted = self.rows() | {"$text": {"$search": " ".join(said), "$language": self.language}}
        score: Any = {"$meta": "textScore"}
        if frequent:
            score = {"$add": [score, _bonus(frequent)]}
        return [{"$match": wanted}, {"$project": {"at": 1, "score": score}}]

    def newest(self, frequent: Sequence[str]) -> list[Stage]:
        """The newest with any of the frequent words, in their exact form, but for those with what is excluded."""
        return self._walked({"$in": list(frequent)}, [], _bonus(frequent))

    def phrases(self, rarest: str, others: Sequence[str]) -> list[Stage]:
        """All phrases, among the newest messages with one of their words."""
        patterns = [{"text": _regex(phrase)} for phrase in self.wanted.phrases if words_in(phrase)]
        return self._walked(rarest, patterns, {"$add": [len(patterns), _bonus(others)]})

    def _walked(self, words: Any, patterns: list[Stage], score: Stage) -> list[Stage]:
        wanted, stages = self.rows() | {"words": words}, list[Stage]()
        if self.within is not None:
            conversation = {name: wanted.pop(name) for name in ("conversation", "reader")}
            # An expression, because it is to be asked of what was found, and looked up in no index.
            conversation["$expr"] = {"$in": ["$stems", [wanted.pop("stems")]]}
            stages += [{"$match": conversation}, {"$limit": self.within}]
        stages += [{"$match": wanted}, {"$sort": {"at": -1}}, {"$limit": self.newest_most}]
        # Behind the limit: whoever excludes what most of them have would otherwise have them all looked at.
        if passing := [*patterns, *self._without()]:
            stages.append({"$match": {"$and": passing}})
        return [*stages, {"$project": {"at": 1, "score": score}}]

    def _without(self) -> list[Stage]:
        parts = [words_in(part) for part in self.wanted.without]
        single = [part[0] for part in parts if len(part) == 1]
        several = [{"text": {"$not": _regex(" ".join(part))}} for part in parts if len(part) > 1]
        return [*([{"words": {"$nin": single}}] if single else []), *several]


@dataclass(slots=True)
class _Part:
    """What is asked of `$text` in one language, and the folded words that are too frequent for that."""

    rare: list[str] = field(default_factory=list[str])
    frequent: list[str] = field(default_factory=list[str])


def _parted(
    terms: Sequence[Term], languages: Sequence[str], counts: Counts, bounds: Bounds
) -> dict[str, _Part]:
    found = [
        (counts.get((language, term.typed), 0), language, term) for language in languages for term in terms
    ]
    parts = {language: _Part() for language in languages}
    scored = 0
    for count, language, term in sorted((one for one in found if one[0]), key=lambda one: one[0]):
        if count <= bounds.frequent and scored + count <= bounds.scored:
            scored += count
            parts[language].rare.append(term.typed)
        else:
            frequent = parts[language].frequent
            frequent += [word for word in term.words if word not in frequent]
    return parts


def _branches(
    asking: _Asking, part: _Part, terms: Sequence[Term], counts: Counts
) -> tuple[list[list[Stage]], bool]:
    """What is asked in one language, and whether that looks at all that fits or at the newest."""
    if asking.wanted.phrases:
        known = [(counts.get((asking.language, word), 0), word) for word in phrase_words(asking.wanted)]
        said = [(count, word) for count, word in known if count]
        if any(count > asking.frequent for count, _ in said):
            least, rarest = min(said)
            others = [word for term in terms for word in term.words]
            return [asking.phrases(rarest, others)], least <= asking.frequent
        return [asking.text(part.rare, part.frequent)] if said else [], True
    found = [asking.text(part.rare, part.frequent)] if part.rare else []
    return ([*found, asking.newest(part.frequent)], False) if part.frequent else (found, True)


def _bonus(words: Sequence[str]) -> Stage:
    """What frequent words count: half of what `$text` gives for one that stands there once."""
    return {"$add": [{"$cond": [{"$in": [{"$literal": word}, "$words"]}, 0.25, 0]} for word in words]}


def _regex(phrase: str) -> Stage:
    return {"$regex": phrase_pattern(phrase), "$options": "i"}
