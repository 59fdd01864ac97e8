"""A small server that answers like Meilisearch, for tests on machines that have none.

It does what the engine needs: indexes, settings, documents, filters, tasks that are done later and may fail, swaps,
keys, and tokens that are signed with them.
Each request and answer is held against the official OpenAPI document; what does not fit is in `faults`.
"""

import asyncio
import re
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.meilisearch_document import faults
from tests.support.meilisearch_keys import KEY, Keys, NotAdmitted
from tests.support.meilisearch_words import Query, passes

__all__ = ["KEY", "StandIn", "serving"]

_ID = re.compile(r"[a-zA-Z0-9_-]{1,511}")
_DEFAULTS: dict[str, Any] = {
    "searchableAttributes": ["*"],
    "filterableAttributes": [],
    "sortableAttributes": [],
    "displayedAttributes": ["*"],
    "rankingRules": ["words", "typo", "proximity", "attribute", "sort", "exactness"],
    "typoTolerance": {"enabled": True, "minWordSizeForTypos": {"oneTypo": 5, "twoTypos": 9}},
    "pagination": {"maxTotalHits": 1000},
}


class Refused(Exception):
    """What a task, or a request, ends with."""

    def __init__(self, code: str, status: int = 400, kind: str = "invalid_request") -> None:
        super().__init__(code)
        self.status = status
        link = f"https://docs.meilisearch.com/errors#{code}"
        self.body = {"message": code, "code": code, "type": kind, "link": link}


@dataclass
class _Index:
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=lambda: dict(_DEFAULTS))


class StandIn:
    """One server's data, its tasks, and what was wrong with what it heard and said."""

    def __init__(self) -> None:
        self.indexes: dict[str, _Index] = {}
        self.tasks: list[dict[str, Any]] = []
        self.keys = Keys()
        self.faults: list[str] = []
        self.failing: list[str] = []
        """Error codes with which the next tasks fail, as a full disk would make them."""
        self._work: asyncio.Queue[tuple[dict[str, Any], Callable[[], None]]] = asyncio.Queue()

    def application(self) -> Starlette:
        """What it serves."""
        index = "/indexes/{indexUid}"
        routes = [
            ("POST", "/indexes", self._create),
            ("GET", index, self._show),
            ("DELETE", index, self._delete),
            ("GET", f"{index}/settings", self._settings),
            ("PATCH", f"{index}/settings", self._change),
            ("PUT", f"{index}/settings/displayed-attributes", self._show_only),
            ("POST", f"{index}/documents", self._add),
            ("POST", f"{index}/documents/fetch", self._fetch),
            ("POST", f"{index}/documents/delete", self._delete_by_filter),
            ("POST", f"{index}/documents/delete-batch", self._delete_batch),
            ("POST", f"{index}/search", self._search),
            ("POST", "/swap-indexes", self._swap),
            ("GET", "/keys", self._list_keys),
            ("POST", "/keys", self._make_key),
            ("DELETE", "/keys/{uidOrKey}", self._delete_key),
            ("GET", "/tasks/{taskUid}", self._task),
            ("GET", "/version", self._version),
        ]
        return Starlette(
            routes=[
                Route(path, self._checked(method, path, does), methods=[method])
                for method, path, does in routes
            ]
        )

    async def work(self) -> None:
        """Do the tasks, one after the other."""
        while True:
            task, effect = await self._work.get()
            task |= {"status": "processing", "startedAt": _now()}
            await asyncio.sleep(0)
            try:
                self._fail()
                effect()
            except Refused as error:
                task |= {"status": "failed", "error": error.body}
            else:
                task["status"] = "succeeded"
            task |= {"finishedAt": _now(), "duration": "PT0.001S"}

    def _fail(self) -> None:
        if self.failing:
            raise Refused(self.failing.pop(0), kind="internal")

    def _checked(self, method: str, path: str, does: Callable[..., tuple[int, Any]]) -> Any:
        # The document calls this operation by its older name.
        documented = path.replace("/documents/delete-batch", "/delete-batch")

        async def answer(request: Request) -> Response:
            raw = await request.body()
            asked = await request.json() if raw else None
            try:
                asked = self._admitted(request, asked, searching=path.endswith("/search"))
                status, body = does(asked, *request.path_params.values())
            except Refused as error:
                status, body = error.status, error.body
            self.faults += faults(method, documented, asked, status, body)
            return JSONResponse(body, status) if status != 204 else Response(status_code=204)

        return answer

    def _admitted(self, request: Request, asked: Any, *, searching: bool) -> Any:
        """What is asked, under the filter of the token that came with it."""
        index = request.path_params.get("indexUid")
        try:
            rule = self.keys.admit(request.headers.get("authorization"), index, searching=searching)
        except NotAdmitted as error:
            raise Refused("invalid_api_key", 403, "auth") from error
        if rule is None:
            return asked
        wanted = asked.get("filter") or []
        return asked | {"filter": [rule, *([wanted] if isinstance(wanted, str) else wanted)]}

    def _list_keys(self, asked: Any) -> tuple[int, Any]:
        made = list(self.keys.made.values())
        return 200, {"results": made, "offset": 0, "limit": 100, "total": len(made)}

    def _make_key(self, asked: Any) -> tuple[int, Any]:
        return 201, self.keys.make(asked)

    def _delete_key(self, asked: Any, uid: str) -> tuple[int, Any]:
        del self.keys.made[uid]
        return 204, None

    def _later(self, kind: str, index: str | None, effect: Callable[[], None]) -> tuple[int, Any]:
        task = {
            "uid": len(self.tasks),
            "indexUid": index,
            "status": "enqueued",
            "type": kind,
            "enqueuedAt": _now(),
        }
        self.tasks.append(task)
        self._work.put_nowait((task, effect))
        return 202, {"taskUid": task["uid"]} | {
            k: task[k] for k in ("indexUid", "status", "type", "enqueuedAt")
        }

    def _index(self, name: str) -> _Index:
        if name not in self.indexes:
            raise Refused("index_not_found", 404)
        return self.indexes[name]

    def _create(self, asked: Any) -> tuple[int, Any]:
        def effect() -> None:
            if asked["uid"] in self.indexes:
                raise Refused("index_already_exists")
            self.indexes[asked["uid"]] = _Index()

        return self._later("indexCreation", asked["uid"], effect)

    def _show(self, asked: Any, uid: str) -> tuple[int, Any]:
        self._index(uid)
        return 200, {"uid": uid, "primaryKey": "id", "createdAt": _now(), "updatedAt": _now()}

    def _delete(self, asked: Any, uid: str) -> tuple[int, Any]:
        def effect() -> None:
            self._index(uid)
            del self.indexes[uid]

        return self._later("indexDeletion", uid, effect)

    def _settings(self, asked: Any, uid: str) -> tuple[int, Any]:
        return 200, self._index(uid).settings

    def _change(self, asked: Any, uid: str) -> tuple[int, Any]:
        return self._later("settingsUpdate", uid, lambda: self._index(uid).settings.update(asked))

    def _show_only(self, asked: Any, uid: str) -> tuple[int, Any]:
        return self._change({"displayedAttributes": asked}, uid)

    def _add(self, asked: Any, uid: str) -> tuple[int, Any]:
        def effect() -> None:
            if any(not _ID.fullmatch(row["id"]) for row in asked):
                raise Refused("invalid_document_id")
            self.indexes.setdefault(uid, _Index()).rows.update({row["id"]: row for row in asked})

        return self._later("documentAdditionOrUpdate", uid, effect)

    def _delete_batch(self, asked: Any, uid: str) -> tuple[int, Any]:
        def effect() -> None:
            for name in asked:
                self._index(uid).rows.pop(name, None)

        return self._later("documentDeletion", uid, effect)

    def _delete_by_filter(self, asked: Any, uid: str) -> tuple[int, Any]:
        def effect() -> None:
            for row in self._filtered(self._index(uid), asked["filter"]):
                del self.indexes[uid].rows[row["id"]]

        return self._later("documentDeletion", uid, effect)

    def _swap(self, asked: Any) -> tuple[int, Any]:
        def effect() -> None:
            for pair in asked:
                one, other = pair["indexes"]
                here, there = self._index(one), self._index(other)
                self.indexes |= {one: there, other: here}

        return self._later("indexSwap", None, effect)

    def _fetch(self, asked: Any, uid: str) -> tuple[int, Any]:
        rows = self._filtered(self._index(uid), asked["filter"])
        offset, limit = asked["offset"], asked["limit"]
        page = [{name: row[name] for name in asked["fields"]} for row in rows[offset : offset + limit]]
        return 200, {"results": page, "offset": offset, "limit": limit, "total": len(rows)}

    def _task(self, asked: Any, uid: str) -> tuple[int, Any]:
        return 200, self.tasks[int(uid)]

    def _version(self, asked: Any) -> tuple[int, Any]:
        return 200, {"commitSha": "none", "commitDate": _now(), "pkgVersion": "1.15.2"}

    def _filtered(self, index: _Index, conditions: Any) -> list[dict[str, Any]]:
        wanted = [conditions] if isinstance(conditions, str) else conditions or []
        for condition in wanted:
            if condition.split()[0] not in index.settings["filterableAttributes"]:
                raise Refused("invalid_search_filter")
        return [row for row in index.rows.values() if all(passes(row, one) for one in wanted)]

    def _search(self, asked: Any, uid: str) -> tuple[int, Any]:
        index = self._index(uid)
        query = Query(asked["q"], index.settings["typoTolerance"]["minWordSizeForTypos"])
        found = [(query.match(row["text"]), row) for row in self._filtered(index, asked.get("filter"))]
        fits = [(match, row) for match, row in found if match is not None]
        fits.sort(key=lambda one: (-one[0].words, one[0].typos, -one[1]["at"], one[1]["id"]))
        for order in reversed(asked.get("sort") or []):
            name, _, way = order.partition(":")
            if name not in index.settings["sortableAttributes"]:
                raise Refused("invalid_search_sort")
            fits.sort(key=lambda one, name=name: one[1][name], reverse=way == "desc")
        fits = fits[: index.settings["pagination"]["maxTotalHits"]]
        size, page = asked["hitsPerPage"], asked["page"]
        shown = index.settings["displayedAttributes"]
        hits = [
            {name: value for name, value in row.items() if name in shown or "*" in shown}
            | {"_rankingScore": 1 / (1 + match.typos), "_matchesPosition": {"text": match.places}}
            for match, row in fits[(page - 1) * size : page * size]
        ]
        pages = {
            "page": page,
            "hitsPerPage": size,
            "totalHits": len(fits),
            "totalPages": -(-len(fits) // size),
        }
        return 200, {"hits": hits, "query": asked["q"], "processingTimeMs": 1, **pages}


def _now() -> str:
    return datetime.now(UTC).isoformat()


@asynccontextmanager
async def serving(stand_in: StandIn, port: int = 0) -> AsyncGenerator[str]:
    """Serve it, and give its address; what it holds stays when it stops."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(stand_in.application(), lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        working = asyncio.create_task(stand_in.work())
        running = asyncio.create_task(server._serve([listener]))
        try:
            yield address
        finally:
            server.should_exit = server.force_exit = True
            await running
            working.cancel()
