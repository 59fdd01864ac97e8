"""From errors to what clients are told: one table for HTTP status and close codes (docs/protocol.md).

Over HTTP an error is a problem document (RFC 9457) with a stable `code`; on the socket an `error` frame with the same.
"""

from math import ceil
from typing import Any

import msgspec
import structlog
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from realtime.session import CloseCode, Refused
from server.domain import errors
from server.domain.ids import new_id

_log = structlog.get_logger(__name__)

_STATUS: dict[type[errors.ChatError], int] = {
    errors.Invalid: 422,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.QuotaExceeded: 429,
    errors.Unavailable: 503,
    errors.Overloaded: 503,
}
_CLOSE: dict[type[errors.ChatError], int] = {errors.Unauthenticated: CloseCode.UNAUTHENTICATED}
_TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    409: "Does not fit the present state",
    413: "Too large",
    422: "Invalid",
    429: "Too many",
    500: "Our mistake",
    503: "Not available now",
}


_UNREAD = frozenset({408, 413})
"""Problems with a body that has not come as a whole."""


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    code: str = Field(description="Stable; see docs/protocol.md.")
    detail: str = Field(description="A sentence for people.")
    field: str | None = None
    retry_after: float | None = Field(default=None, description="Seconds.")
    incident: str | None = Field(default=None, description="Under which our log has more.")


class HttpProblem(Exception):
    """A problem of HTTP itself, that no domain error stands for."""

    def __init__(self, status: int, code: str, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after


def problem_of(error: Exception) -> Problem:
    """The problem document of any error; an unknown one is a bug, is logged, and tells nothing of itself."""
    match error:
        case errors.ChatError():
            status = _STATUS[type(error)]
            return Problem(
                title=_TITLES[status],
                status=status,
                code=error.code,
                detail=error.detail,
                field=error.field,
                retry_after=error.retry_after,
            )
        case HttpProblem():
            return Problem(
                title=_TITLES[error.status],
                status=error.status,
                code=error.code,
                detail=error.detail,
                retry_after=error.retry_after,
            )
        case _:
            return Problem(
                title=_TITLES[500],
                status=500,
                code="internal",
                detail="Something went wrong here; it has been noted.",
                incident=_incident(error),
            )


def response_of(error: Exception) -> Response:
    """The same as a response."""
    problem = problem_of(error)
    headers = {"Cache-Control": "no-store"}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(max(1, ceil(problem.retry_after)))  # whole seconds, and never too early
    if problem.status in _UNREAD:
        headers["Connection"] = "close"  # the rest of the body would be read for nothing
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(
        problem.model_dump_json(exclude_none=True),
        problem.status,
        headers,
        media_type="application/problem+json",
    )


def refusal_of(error: Exception, frame_id: str | None = None) -> Refused:
    """The same as an answer on the socket."""
    problem = problem_of(error)
    close = _CLOSE.get(type(error)) if isinstance(error, errors.ChatError) else None
    detail = f"{problem.detail} ({problem.incident})" if problem.incident else problem.detail
    return Refused(
        problem.code,
        detail,
        field=problem.field,
        retry_after=problem.retry_after,
        frame_id=frame_id,
        close=close,
    )


def decoding_refusal(error: ValidationError, raw: str) -> Refused:
    """Why a frame could not be decoded."""
    fault = error.errors(include_url=False, include_input=False)[0]
    frame_id = _frame_id(raw)
    match fault["type"]:
        case "json_invalid" | "model_attributes_type" | "dict_type":
            return Refused("bad_frame", "A frame is one JSON object.", frame_id=frame_id)
        case "union_tag_invalid":
            detail = f"There is no frame of type {fault.get('ctx', {}).get('tag')!r}."
            return Refused("unknown_type", detail, field="type", frame_id=frame_id)
        case "union_tag_not_found":
            return Refused("invalid", "A frame has a type.", field="type", frame_id=frame_id)
        case _:
            field, detail = first_fault(error, skip=1)
            return Refused("invalid", detail, field=field, frame_id=frame_id)


def invalid(error: ValidationError) -> errors.Invalid:
    """What is wrong with something that a client said. (Of anything else it is a bug, and none of the client's.)"""
    field, detail = first_fault(error)
    return errors.Invalid("invalid", detail, field=field)


def first_fault(error: ValidationError, skip: int = 0) -> tuple[str | None, str]:
    """The field that is wrong, and a sentence about it."""
    fault = error.errors(include_url=False, include_input=False)[0]
    places = [str(place) for place in fault["loc"][skip:]]
    # Where there are several types for a field, pydantic names the one that was tried: that is ours to know.
    field = ".".join(place for place in places if not (place[:1].isupper() or "[" in place)) or None
    match fault["type"]:
        case "extra_forbidden":
            sentence = "There is no such field."
        case "value_error":
            sentence = f"{fault['msg'].removeprefix('Value error, ')}."
        case _:
            sentence = f"{fault['msg']}."
    return field, f"{field}: {sentence}" if field else sentence


def _frame_id(raw: str) -> str | None:
    try:
        found: Any = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError):  # the last for what is nested too deeply
        return None
    if not isinstance(found, dict):
        return None
    frame_id: Any = found.get("id")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]: any JSON
    return frame_id if isinstance(frame_id, str) and len(frame_id) <= 64 else None


def _incident(error: Exception) -> str:
    incident = new_id("inc")
    _log.error("a bug", incident=incident, exc_info=error)
    return incident
