"""What a provider's own word for a failure means in ours.

Both protocols say `{"error": {"type", "code", "message"}}`, with an HTTP status before the answer began and
without one inside a stream; some servers put a mere sentence in place of the object. A status decides; where
there is none, the error's type or code stands for one.
"""

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

from providers.errors import (
    BadRequest,
    Overloaded,
    ProviderError,
    RateLimited,
    TimedOut,
    Unauthorized,
    UnknownModel,
)

_LONGEST_QUOTE = 300

_STATUS_OF = {
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "exceed_context_size_error": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "api_error": 500,
    "server_error": 500,
    "overloaded_error": 529,
}


class ErrorObject(msgspec.Struct):
    """The error of both protocols."""

    type: str | None = None
    code: str | int | None = None
    message: str | None = None


class _Body(msgspec.Struct):
    error: ErrorObject | str | None = None


_decode_body = msgspec.json.Decoder(_Body).decode


class Refusals:
    """Tells one provider's refusals, with its key kept out of every sentence."""

    def __init__(self, provider: str, secret: str | None) -> None:
        self._provider = provider
        self._secret = secret

    def of_response(self, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
        """Tell a response whose status is an error."""
        try:
            error = _decode_body(body).error
        except (msgspec.DecodeError, UnicodeDecodeError):
            # A proxy in between answers in HTML; its status says enough.
            error = None
        return self._tell(status, _as_object(error), _retry_after(headers))

    def of_event(self, error: ErrorObject | str) -> ProviderError:
        """Tell an error that came inside a stream."""
        return self._tell(None, _as_object(error), None)

    def _tell(self, status: int | None, error: ErrorObject, retry_after: float | None) -> ProviderError:
        name, kinds = self._provider, (error.code, error.type)
        if status is None:
            status = _status_of(error.code) or _status_of(error.type) or 500
        says = self._quote(error.message)
        if "model_not_found" in kinds or (status == 404 and "model" in says):
            return UnknownModel(f"{name} does not have the model{says}")
        if status in (401, 403):
            return Unauthorized(f"{name} does not accept the key for this.")
        if status in (402, 429):
            return RateLimited(f"{name} takes no more requests for now.", retry_after=retry_after)
        if status == 408:
            return TimedOut(f"{name} waited too long for the request.", retry_after=retry_after)
        if status == 409 or status >= 500:
            return Overloaded(
                f"{name} failed or has no room for now (status {status}).", retry_after=retry_after
            )
        return BadRequest(f"{name} refused the prompt (status {status}){says}")

    def _quote(self, message: str | None) -> str:
        """Make the end of a sentence out of what the provider wrote: one line, not long, without the key."""
        words = " ".join((message or "").split())
        if self._secret:
            words = words.replace(self._secret, "…")
        if len(words) > _LONGEST_QUOTE:
            words = words[:_LONGEST_QUOTE] + "…"
        return f": {words}" if words else "."


def _as_object(error: ErrorObject | str | None) -> ErrorObject:
    return error if isinstance(error, ErrorObject) else ErrorObject(message=error)


def _status_of(kind: str | int | None) -> int | None:
    if isinstance(kind, int):
        return kind if 400 <= kind <= 599 else None
    return _STATUS_OF.get(kind or "")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read how many seconds to wait, from OpenAI's header in milliseconds or the standard's two forms."""
    for header, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(header, "")) * unit
        except ValueError:
            continue
        return seconds if math.isfinite(seconds) and seconds >= 0 else None
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time())
    except ValueError:
        return None
