"""One HTTP operation as data: how it is reached, what goes in, what comes out, and who does the work.

The router, the checks of requests and the OpenAPI document are all made from the same list.
"""

import asyncio
import codecs
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from server.domain.errors import Invalid
from server.domain.ids import new_id
from server.storage.cause import caused_by
from server.storage.pages import Cut, is_number
from server.web.auth import Tokens, User, bearer
from server.web.problems import HttpProblem, invalid, response_of
from server.web.write_limits import WriteLimits

MAX_BODY = 1024 * 1024
_BODY_SECONDS = 60.0
_REQUEST_ID = 128
_FILE_NAME = 180
"""Bytes of a file's name, its ending aside; no system takes many more than 250."""
_UNFIT = frozenset('/\\:*?"<>|')


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked: `body` and `asked` are of the operation's types, `path` holds its parameters."""

    user: User
    path: dict[str, str]
    query: dict[str, str]
    body: Any = None
    asked: Any = None

    def cut(self) -> Cut:
        """The part of a list that is asked for. Errors: `Invalid`."""
        limit = self.query.get("limit", "50")
        if not is_number(limit):
            raise Invalid("invalid", "limit is a number.", field="limit")
        return Cut(self.query.get("before") or None, self.query.get("after") or None, int(limit))

    def flag(self, name: str) -> bool | None:
        """A parameter that is true or false; None when it is not given. Errors: `Invalid`."""
        said = self.query.get(name)
        if not said:
            return None
        if said not in {"true", "false"}:
            raise Invalid("invalid", f"{name} is true or false.", field=name)
        return said == "true"


@dataclass(frozen=True, slots=True)
class Download:
    """An answer that is a file: `name` is a plain one, `title` what people call it, and `ending` that of both."""

    content: bytes
    media_type: str
    name: str
    title: str
    ending: str

    @property
    def disposition(self) -> str:
        """The header that names it, by its title where that can name a file (RFC 6266)."""
        plain = f'attachment; filename="{self.name}{self.ending}"'
        kept = "".join(c if c.isprintable() and c not in _UNFIT else " " for c in self.title)
        kept = " ".join(kept.split()).encode()[:_FILE_NAME].decode(errors="ignore").strip(" .")
        return f"{plain}; filename*=UTF-8''{quote(kept + self.ending, safe='')}" if kept else plain


@dataclass(frozen=True, slots=True)
class Operation:
    """`answer` None means no content; `public` needs no token."""

    method: str
    path: str
    summary: str
    handle: Callable[[Call], Awaitable[BaseModel | Download | None]]
    tag: str
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    status: int = 200
    public: bool = False
    paged: bool = False
    query: tuple[str, ...] = field(default=())
    asks: type[BaseModel] | None = None
    """All of the query, where it has rules of its own."""
    most: int = MAX_BODY
    """Bytes of the body."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Which query parameters it knows."""
        if self.asks is not None:
            return tuple(one.alias or name for name, one in self.asks.model_fields.items())
        return (*self.query, "before", "after", "limit") if self.paged else self.query


_NOBODY = User("", "")


class Endpoint:
    """The ASGI application of one operation."""

    def __init__(self, operation: Operation, tokens: Tokens, limits: WriteLimits) -> None:
        self._operation = operation
        self._tokens = tokens
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request, do it, answer."""
        try:
            response = await self._respond(Request(scope, receive))
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - the boundary of a request: `response_of` knows every error
            response = response_of(error)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        operation = self._operation
        user = _NOBODY if operation.public else await self._tokens.check(bearer(request.headers.raw))
        if operation.method != "GET" and not operation.public:
            self._limits.check(user.id)
        check_parameters(request, operation.parameters)
        body = await _body(request, operation.body, operation.most) if operation.body is not None else None
        query = dict(request.query_params)
        asked = _asked(query, operation.asks) if operation.asks is not None else None
        call = Call(user, dict(request.path_params), query, body, asked)
        with caused_by(_request_id(request)):
            answer = await operation.handle(call)
        if answer is None:
            return Response(status_code=204)
        headers = {"Cache-Control": "no-store"}
        if isinstance(answer, Download):
            headers["Content-Disposition"] = answer.disposition
            return Response(answer.content, operation.status, headers, media_type=answer.media_type)
        return Response(answer.model_dump_json(), operation.status, headers, media_type="application/json")


def _request_id(request: Request) -> str:
    """The client's (or its proxy's) name for this request, where it has given one."""
    given = request.headers.get("x-request-id", "")
    return given if 0 < len(given) <= _REQUEST_ID and given.isprintable() else new_id("req")


def check_parameters(request: Request, known: Collection[str]) -> None:
    """Errors: `Invalid`, because a misspelt parameter would otherwise be ignored."""
    unknown = set(request.query_params) - set(known)
    if unknown:
        name = min(unknown)
        raise Invalid("invalid", f"There is no parameter {name!r}.", field=name)


def _asked(query: dict[str, str], kind: type[BaseModel]) -> BaseModel:
    """Errors: `Invalid`. A parameter without a value is none."""
    try:
        return kind.model_validate({name: value for name, value in query.items() if value})
    except ValidationError as error:
        raise invalid(error) from None


async def _body(request: Request, kind: type[BaseModel], most: int) -> BaseModel:
    """Errors: `HttpProblem` with `bad_json`, `too_large` or `too_slow`; `Invalid`."""
    received = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                received += chunk
                if len(received) > most:
                    raise HttpProblem(413, "too_large", f"A body has at most {most} bytes.")
    except TimeoutError:
        raise HttpProblem(408, "too_slow", f"The body has not come within {_BODY_SECONDS:.0f} s.") from None
    try:
        return kind.model_validate_json(bytes(received).removeprefix(codecs.BOM_UTF8) or b"{}")
    except ValidationError as error:
        kinds = {fault["type"] for fault in error.errors(include_url=False, include_input=False)}
        if "json_invalid" in kinds:
            raise HttpProblem(400, "bad_json", "The body is not JSON.") from None
        raise invalid(error) from None
