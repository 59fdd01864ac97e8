"""Search on MongoDB's text index: the default, with nothing to install.

A row is one message for one reader. The reader and the language stand in front of the words in the index, so that a
search walks the words of one person in one language: what others wrote is not filtered out, it is never touched.
Each message is indexed with the stems of its own language, so a query is put once per language that the reader has
messages in, and the answers, which cannot overlap, are united. `mongodb_questions` bounds what that costs.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING, TEXT, IndexModel, ReplaceOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure

from server.search.contract import Found, Hit, SearchDocument, SearchQuery, Side
from server.search.mongodb_questions import Bounds, Term, counting, finding, phrase_words, terms_of
from server.search.words import STEMMED, Wanted, highlight, parse, words_of
from server.storage.causal import preferred
from server.storage.database import reachable
from server.storage.sides import Sides

_COLLECTION = "search"
_UNFINISHED = 8
"""So many different endings of an unfinished word are looked for."""
_SWAPPED = 175
"""The server's code for a question whose collection was replaced while it was answered."""
_INDEXES = [
    IndexModel(
        [("reader", ASCENDING), ("stems", ASCENDING), ("text", TEXT)],
        name="words",
        default_language="none",
        language_override="stems",
    ),
    IndexModel(
        [("reader", ASCENDING), ("stems", ASCENDING), ("words", ASCENDING), ("at", DESCENDING)], name="newest"
    ),
    IndexModel([("message", ASCENDING), ("reader", ASCENDING)], name="message"),
    IndexModel([("conversation", ASCENDING), ("reader", ASCENDING)], name="conversation"),
]

Rows = AsyncCollection[dict[str, Any]]


class MongoSearch:
    """`server.search.contract.SearchEngine`."""

    name = "mongodb"
    forgives = False
    form = 1

    def __init__(self, database: AsyncDatabase[dict[str, Any]], bounds: Bounds | None = None) -> None:
        self._sides = Sides(database, _COLLECTION)
        self._bounds = bounds or Bounds()
        self.counts: Counter[str] = Counter()

    def rows(self, side: Side) -> Rows:
        """The collection behind an index."""
        return self._sides.rows(side)

    async def prepare(self, side: Side) -> None:
        """See the port."""
        if side == "next":
            await self._sides.begin()
        async with reachable():
            await self.rows(side).create_indexes(_INDEXES)

    async def put(
        self, documents: Sequence[SearchDocument], side: Side = "live", *, same_readers: bool = False
    ) -> None:
        """See the port."""
        rows = [row for document in documents for row in _rows(document)]
        async with reachable():
            if documents and not same_readers:
                await self.rows(side).delete_many({"$or": _left(documents)})
            if rows:
                writes = [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows]
                await self.rows(side).bulk_write(writes, ordered=False)

    async def remove(self, messages: Sequence[str], side: Side = "live") -> None:
        """See the port."""
        if messages:
            async with reachable():
                await self.rows(side).delete_many({"message": {"$in": list(messages)}})

    async def remove_conversation(self, conversation: str, side: Side = "live") -> None:
        """See the port."""
        async with reachable():
            await self.rows(side).delete_many({"conversation": conversation})

    async def readers(self, conversation: str, side: Side = "live") -> Mapping[str, int]:
        """See the port. The index alone answers it."""
        counting: list[dict[str, Any]] = [
            {"$match": {"conversation": conversation}},
            {"$group": {"_id": "$reader", "count": {"$sum": 1}}},
        ]
        async with reachable():
            found = await (await self.rows(side).aggregate(counting)).to_list()
        return {row["_id"]: row["count"] for row in found}

    async def swap(self) -> None:
        """See the port."""
        await self._sides.swap()

    async def search(self, query: SearchQuery) -> Found:
        """See the port."""
        wanted = parse(query.text)
        async with reachable():
            for again in (True, True, False):
                try:
                    return await self._search(query, wanted)
                except OperationFailure as error:
                    if error.code == _SWAPPED and again:
                        continue
                    # Before the first message there is no index, and nothing to be found.
                    if "text index required" in str(error):
                        return Found(hits=[], total=0)
                    raise
        raise AssertionError("the loop returns or raises")

    async def _search(self, query: SearchQuery, wanted: Wanted) -> Found:
        rows = preferred(self.rows("live"))
        languages: list[str] = await rows.distinct("stems", {"reader": query.reader})
        if not languages or not (wanted.chunks or wanted.phrases):
            return Found(hits=[], total=0)
        endings: list[str] = []
        if wanted.unfinished is not None and len(wanted.unfinished) > 1:
            endings = await self._endings(query.reader, languages, wanted.unfinished)
        terms = terms_of(wanted, endings)
        if not terms and not phrase_words(wanted):
            return Found(hits=[], total=0)  # a phrase of signs
        counts, size = await self._counts(rows, query, terms, phrase_words(wanted), languages)
        question, complete = finding(query, wanted, terms, languages, counts, self._bounds, _COLLECTION, size)
        if not question:
            return Found(hits=[], total=0)
        cursor = await rows.aggregate(question, maxTimeMS=5_000)
        [answer] = await cursor.to_list()
        scores = {row["_id"]: row.get("score") for row in answer["page"]}
        found = {row["_id"]: row async for row in rows.find({"_id": {"$in": list(scores)}})}
        hits = [_hit(found[key], score, wanted) for key, score in scores.items() if key in found]
        total = answer["total"][0]["count"] if answer["total"] else 0
        return Found(hits=hits, total=total, complete=complete)

    async def _counts(
        self,
        rows: Rows,
        query: SearchQuery,
        terms: Sequence[Term],
        words: Sequence[str],
        languages: Sequence[str],
    ) -> tuple[dict[tuple[str, str], int], int | None]:
        """How often each term stands in each language; and how many messages the conversation has, if one is named."""
        typed = dict.fromkeys([*(term.typed for term in terms), *words])
        asked = [(language, term) for term in typed for language in languages]
        question = counting(query, asked, self._bounds, _COLLECTION)
        cursor = await rows.aggregate(question, maxTimeMS=5_000)
        found: dict[int, int] = {row["place"]: row["n"] async for row in cursor}
        size = None if query.conversation is None else found.pop(len(asked), 0)
        return {asked[place]: count for place, count in found.items()}, size

    async def _endings(self, reader: str, languages: Sequence[str], beginning: str) -> list[str]:
        """How an unfinished word may go on: words that the reader has."""
        begins = {"$regex": f"^{re.escape(beginning)}"}
        cursor = await self.rows("live").aggregate(
            [
                {"$match": {"reader": reader, "stems": {"$in": list(languages)}, "words": begins}},
                {"$limit": self._bounds.sample},
                {"$project": {"words": 1}},
                {"$unwind": "$words"},
                {"$match": {"words": begins}},
                {"$group": {"_id": "$words", "count": {"$sum": 1}}},
                {"$sort": {"count": -1, "_id": 1}},
                {"$limit": _UNFINISHED},
            ]
        )
        return [row["_id"] async for row in cursor if row["_id"] != beginning]


def _left(documents: Sequence[SearchDocument]) -> list[dict[str, Any]]:
    """The rows of those who may not find these any more."""
    found: dict[tuple[str, ...], list[str]] = {}
    for document in documents:
        found.setdefault(document.readers, []).append(document.id)
    return [
        {"message": {"$in": messages}, "reader": {"$nin": list(readers)}}
        for readers, messages in found.items()
    ]


def _rows(document: SearchDocument) -> list[dict[str, Any]]:
    """One for each reader; they differ in no more than that."""
    said: dict[str, Any] = {
        "message": document.id,
        "conversation": document.conversation,
        "seq": document.seq,
        "user": document.user,
        "role": document.role,
        "text": document.text,
        "words": words_of(document.text),
        "at": document.at,
        "stems": document.language if document.language in STEMMED else "none",
        "language": document.language,
        "topics": list(document.topics),
        "sentiment": document.sentiment,
    }
    return [{"_id": f"{reader} {document.id}", "reader": reader} | said for reader in document.readers]


def _hit(row: Mapping[str, Any], score: float | None, wanted: Wanted) -> Hit:
    return Hit(
        id=row["message"],
        conversation=row["conversation"],
        seq=row["seq"],
        role=row["role"],
        user=row["user"],
        created_at=row["at"],
        highlights=highlight(row["text"], wanted, row["stems"]),
        score=score,
        language=row["language"],
        topics=row["topics"],
        sentiment=row["sentiment"],
    )
