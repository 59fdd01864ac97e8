"""Search on Meilisearch: it forgives typing errors, and it lives in a process of its own.

A document is a message; its readers are part of it, and every query filters by one of them. Meilisearch compares
strings in filters without case and outer spaces, and only so much of them; foreign token services name people as they
like. So people are filtered by a hash of their name.

A write is done when its task has succeeded. A batch that is refused is put again in halves, so that a document that
Meilisearch cannot take is told and left out, and holds up nobody else's; anything else that goes wrong is
`Unavailable`, and whoever follows the events tries again.
"""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zlib import crc32

import structlog
from httpx2 import HTTPError
from meilisearch_python_sdk import AsyncClient
from meilisearch_python_sdk.errors import MeilisearchApiError, MeilisearchError
from meilisearch_python_sdk.index import AsyncIndex
from meilisearch_python_sdk.models.settings import MeilisearchSettings
from meilisearch_python_sdk.models.task import TaskInfo

from server.domain.errors import Unavailable
from server.search.contract import MAX_TOTAL, Found, Hit, SearchDocument, SearchQuery, Side
from server.search.words import Wanted, excerpt, parse

_log = structlog.get_logger(__name__)

CALL_SECONDS = 5
_TASK_MS = 60_000
_WRITE_SECONDS = 180.0
_POLL_MS = 20
_BATCH = 1000
_BATCH_CHARACTERS = 8_000_000
_REFUSED = "invalid_request"
"""The type of an error that the same request meets again, however often it is sent."""
_NO_INDEX = "index_not_found"
_NO_SETTINGS = "invalid_search_filter"
"""What an index answers that was made this moment: it has no settings yet, and nothing that could be found."""
_WITHOUT_ORDER = frozenset({"filterableAttributes", "sortableAttributes", "displayedAttributes"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SETTINGS: dict[str, Any] = {
    "searchableAttributes": ["text"],
    "filterableAttributes": ["conversation", "reader_keys", "user_key", "role", "at", "topics", "language"],
    "sortableAttributes": ["at", "id"],
    # Who else may find a message is nobody's to see: browsers search here by themselves.
    "displayedAttributes": [
        "id",
        "conversation",
        "seq",
        "user",
        "role",
        "text",
        "at",
        "language",
        "topics",
        "sentiment",
    ],
    # `sort` says nothing unless a query sorts; one that does wants that order, whatever fits better.
    "rankingRules": ["sort", "words", "typo", "proximity", "attribute", "exactness", "at:desc"],
    "synonyms": {
        "ok": ["okay", "vale"],
        "okay": ["ok", "vale"],
        "vale": ["ok", "okay"],
        "app": ["application", "aplicación"],
        "photo": ["picture", "foto"],
        "foto": ["photo", "fotografía"],
    },
    "localizedAttributes": [{"attributePatterns": ["text"], "locales": ["spa", "eng"]}],
    "typoTolerance": {"enabled": True, "minWordSizeForTypos": {"oneTypo": 5, "twoTypos": 9}},
    "pagination": {"maxTotalHits": MAX_TOTAL},
}
"""Of both indexes, by Meilisearch's own names. Who changes them has the index built anew, beside the live one."""


class MeiliSearch:
    """`server.search.contract.SearchEngine`; `index` begins the names of its two indexes."""

    name = "meilisearch"
    forgives = True
    form = 1 + crc32(json.dumps(SETTINGS, sort_keys=True).encode())

    def __init__(self, client: AsyncClient, index: str) -> None:
        self.client = client
        self._names: dict[Side, str] = {"live": f"{index}_messages", "next": f"{index}_messages_next"}
        self.counts: Counter[str] = Counter()

    async def prepare(self, side: Side) -> None:
        """See the port. Settings are sent only where they differ: Meilisearch indexes everything anew after that."""
        async with answering():
            if side == "next":
                await self._done(await self._index(side).delete(), missing=True)
            await self._made(side)

    async def put(
        self, documents: Sequence[SearchDocument], side: Side = "live", *, same_readers: bool = False
    ) -> None:
        """See the port. A document has all of its readers, so whoever left is gone in any case."""
        async with answering():
            for batch in _batches([_row(document) for document in documents]):
                await self._put(batch, side)

    async def remove(self, messages: Sequence[str], side: Side = "live") -> None:
        """See the port."""
        if messages:
            async with answering():
                await self._done(await self._index(side).delete_documents(list(messages)), missing=True)

    async def remove_conversation(self, conversation: str, side: Side = "live") -> None:
        """See the port."""
        wanted = _equals("conversation", conversation)
        async with answering():
            await self._done(await self._index(side).delete_documents_by_filter(wanted), missing=True)

    async def readers(self, conversation: str, side: Side = "live") -> Mapping[str, int]:
        """See the port."""
        wanted, found, offset = _equals("conversation", conversation), Counter[str](), 0
        async with answering(missing=True):
            while True:
                page = await self._index(side).get_documents(
                    filter=wanted, fields=["readers"], offset=offset, limit=_BATCH
                )
                for row in page.results:
                    found.update(row["readers"])
                offset += len(page.results)
                if not page.results or offset >= page.total:
                    break
        return found

    async def swap(self) -> None:
        """See the port. What was live is deleted after that."""
        async with answering():
            await self._made("live")
            await self._done(await self.client.swap_indexes([(self._names["live"], self._names["next"])]))
            await self._done(await self._index("next").delete(), missing=True)

    async def search(self, query: SearchQuery) -> Found:
        """See the port."""
        wanted = parse(query.text)
        text = _asked(wanted)
        if text is None:
            return Found(hits=[], total=0)
        # Only numbered pages have an exact total; an offset between two pages takes one from the beginning.
        whole = query.offset % query.limit == 0
        size = query.limit if whole else query.offset + query.limit
        async with answering(CALL_SECONDS, missing=True):
            index: Any = self._index("live")  # the SDK leaves the type of hits open
            found = await index.search(
                text,
                filter=_filter(query),
                sort=["at:desc", "id:asc"] if query.order == "time" else None,
                page=query.offset // query.limit + 1 if whole else 1,
                hits_per_page=size,
                show_ranking_score=True,
                show_matches_position=True,
            )
            rows: list[dict[str, Any]] = found.hits if whole else found.hits[query.offset :]
            return Found(hits=[_hit(row) for row in rows], total=found.total_hits or 0)
        return Found(hits=[], total=0)

    @property
    def live(self) -> str:
        """The name of the index that answers, before and after a swap."""
        return self._names["live"]

    async def version(self) -> str:
        """Which Meilisearch it is. Errors: `Unavailable`."""
        async with answering(CALL_SECONDS):
            return (await self.client.get_version()).pkg_version

    def _index(self, side: Side) -> AsyncIndex:
        return self.client.index(self._names[side])

    async def _made(self, side: Side) -> None:
        index = self._index(side)
        try:
            present = (await index.get_settings()).model_dump(by_alias=True)
        except MeilisearchApiError as error:
            if error.code != _NO_INDEX:
                raise
            await self.client.create_index(self._names[side], "id")
            present = {}
        if not _covers(present, SETTINGS):
            _log.info("changing the settings of a search index", index=index.uid)
            await self._done(await index.update_settings(MeilisearchSettings.model_validate(SETTINGS)))

    async def _put(self, rows: list[dict[str, Any]], side: Side) -> None:
        error = await self._refused(await self._index(side).add_documents(rows, "id"))
        if error is None:
            return
        if len(rows) == 1:
            self.counts["left_out"] += 1
            _log.error("Meilisearch does not take a message", message=rows[0]["id"], error=error)
            return
        middle = len(rows) // 2
        await self._put(rows[:middle], side)
        await self._put(rows[middle:], side)

    async def _done(self, task: TaskInfo, *, missing: bool = False) -> None:
        """Wait for a task; `missing`: that there is no such index is fine."""
        if (error := await self._refused(task)) is not None:
            code = error.get("code")
            if not (missing and code == _NO_INDEX):
                raise MeilisearchError(f"{task.task_type}: {code}")

    async def _refused(self, task: TaskInfo) -> Mapping[str, Any] | None:
        """Wait for a task: why it can never be done, or None when it is. Errors: `MeilisearchError`."""
        ended = await self.client.wait_for_task(
            task.task_uid, timeout_in_ms=_TASK_MS, interval_in_ms=_POLL_MS
        )
        if ended.status == "succeeded":
            return None
        error = ended.error or {}
        _log.warning("a task of Meilisearch failed", task=ended.uid, status=ended.status, error=error)
        if error.get("type") != _REFUSED:
            self.counts["failed"] += 1
            raise MeilisearchError(f"task {ended.uid}: {error.get('code', ended.status)}")
        return error


@asynccontextmanager
async def answering(seconds: float = _WRITE_SECONDS, *, missing: bool = False) -> AsyncGenerator[None]:
    """Turn the client's errors into `Unavailable`; `missing`: what there is no index for is passed over."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except (MeilisearchError, HTTPError, TimeoutError) as error:
        if missing and getattr(error, "code", None) in {_NO_INDEX, _NO_SETTINGS}:
            return
        _log.warning("Meilisearch does not answer as it should", error=str(error))
        raise Unavailable("The search engine") from error


def _covers(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether all that is wanted is so; Meilisearch keeps some lists in an order of its own."""
    for name, value in wanted.items():
        there = present.get(name)
        if name in _WITHOUT_ORDER:
            if sorted(there or []) != sorted(value):
                return False
        elif isinstance(value, Mapping) and isinstance(there, Mapping):
            inner, within = cast("Mapping[str, Any]", value), cast("Mapping[str, Any]", there)
            if (name == "synonyms" and set(within) != set(inner)) or not _covers(within, inner):
                return False
        elif there != value:
            return False
    return True


def _batches(rows: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Cut to what goes well into one request."""
    batch: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        if batch and (len(batch) == _BATCH or size + len(row["text"]) > _BATCH_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += len(row["text"])
    if batch:
        yield batch


def key_of(person: str) -> str:
    """What a person is filtered by."""
    return hashlib.blake2b(person.encode(), digest_size=16).hexdigest()


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _row(document: SearchDocument) -> dict[str, Any]:
    return {
        "id": document.id,
        "conversation": document.conversation,
        "seq": document.seq,
        "readers": list(document.readers),
        "reader_keys": [key_of(reader) for reader in document.readers],
        "user": document.user,
        "user_key": key_of(document.user) if document.user is not None else None,
        "role": document.role,
        "text": document.text,
        "at": _milliseconds(document.at),
        "language": document.language,
        "topics": list(document.topics),
        "sentiment": document.sentiment,
    }


def _asked(wanted: Wanted) -> str | None:
    """The query in Meilisearch's words; None where nothing is asked for, which it would take for everything."""
    phrases = [phrase for phrase in wanted.phrases if any(c.isalnum() for c in phrase)]
    if not wanted.words and not phrases:
        return None
    without = [f'-"{part}"' if " " in part else f"-{part}" for part in wanted.without]
    parts = [*without, *(f'"{phrase}"' for phrase in phrases), *wanted.words]
    # Its last word may be unfinished, unless a space follows.
    return " ".join(parts) + ("" if wanted.unfinished else " ")


def _equals(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name} = "{escaped}"'


def only_of(reader: str) -> str:
    """The filter for what somebody may find."""
    return _equals("reader_keys", key_of(reader))


def _filter(query: SearchQuery) -> list[str | list[str]]:
    said = {
        "conversation": query.conversation,
        "user_key": key_of(query.user) if query.user is not None else None,
        "role": query.role,
        "topics": query.topic,
        "language": query.language,
    }
    wanted: list[str | list[str]] = [only_of(query.reader)]
    wanted += [_equals(name, value) for name, value in said.items() if value is not None]
    if query.since is not None:
        wanted.append(f"at >= {_milliseconds(query.since)}")
    if query.until is not None:
        wanted.append(f"at < {_milliseconds(query.until)}")
    return wanted


def _hit(row: Mapping[str, Any]) -> Hit:
    return Hit(
        id=row["id"],
        conversation=row["conversation"],
        seq=row["seq"],
        role=row["role"],
        user=row["user"],
        created_at=_EPOCH + timedelta(milliseconds=row["at"]),
        highlights=excerpt(row["text"], spans(row)),
        score=row.get("_rankingScore"),
        language=row["language"],
        topics=row["topics"],
        sentiment=row["sentiment"],
    )


def spans(row: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Where Meilisearch found it: it counts bytes, and we characters."""
    raw = row["text"].encode()
    found = [(at["start"], at["start"] + at["length"]) for at in row["_matchesPosition"].get("text", [])]
    return [
        (len(raw[:start].decode(errors="ignore")), len(raw[:end].decode(errors="ignore")))
        for start, end in found
    ]
