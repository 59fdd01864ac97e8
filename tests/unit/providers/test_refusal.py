"""What a provider's own word for a failure means in ours."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from providers import errors
from providers.refusal import ErrorObject, Refusals

_REFUSALS = Refusals("house", "geheim")


def _body(**error: object) -> bytes:
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, _body(message="too long", code="context_length_exceeded"), errors.BadRequest),
        (400, b'{"error": "No model is loaded."}', errors.BadRequest),
        (402, _body(type="billing_error"), errors.RateLimited),
        (403, _body(code="model_not_found", message="no access"), errors.UnknownModel),
        (404, _body(type="not_found_error", message="model: opus-12"), errors.UnknownModel),
        (404, _body(message="File Not Found"), errors.BadRequest),
        (408, b"", errors.TimedOut),
        (413, b"<html>too large</html>", errors.BadRequest),
        (502, b"<html>bad gateway</html>", errors.Overloaded),
        (529, b'{"error": {"type": 7}}', errors.Overloaded),
    ],
)
def test_a_status_decides(status: int, body: bytes, expected: type[errors.ProviderError]) -> None:
    """Each status has its error, whatever the body looks like."""
    assert type(_REFUSALS.of_response(status, {}, body)) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ErrorObject(type="overloaded_error"), errors.Overloaded),
        (ErrorObject(type="server_error", code=429), errors.RateLimited),
        (ErrorObject(type="tokens", code="rate_limit_exceeded"), errors.RateLimited),
        (ErrorObject(code=7), errors.Overloaded),
        ("the model crashed", errors.Overloaded),
    ],
)
def test_inside_a_stream_the_kind_decides(
    error: ErrorObject | str, expected: type[errors.ProviderError]
) -> None:
    """Where there is no status, code and type stand for one."""
    assert type(_REFUSALS.of_event(error)) is expected


def test_a_refused_prompt_says_why() -> None:
    """The provider's own words are quoted: on one line, not at length, and never with the key."""
    message = "Not\nwith geheim" + "!" * 1000
    detail = _REFUSALS.of_response(400, {}, _body(message=message)).detail
    assert detail.startswith("house refused the prompt (status 400): Not with …!!!")
    assert len(detail) < 400


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_retry_after_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds, a date; nonsense is as good as nothing."""
    assert _REFUSALS.of_response(429, headers, b"").retry_after == seconds


def test_retry_after_a_date_to_come() -> None:
    """A date becomes the seconds until then."""
    then = datetime.now(UTC) + timedelta(hours=1)
    seconds = _REFUSALS.of_response(429, {"retry-after": format_datetime(then, usegmt=True)}, b"").retry_after
    assert seconds is not None
    assert 0 < seconds <= 3600


def test_every_error_has_a_code_of_its_own() -> None:
    """Programs can tell them all apart."""

    def tree(error: type[errors.ProviderError]) -> list[type[errors.ProviderError]]:
        return [error, *(below for child in error.__subclasses__() for below in tree(child))]

    codes = [error.code for error in tree(errors.ProviderError)]
    assert len(set(codes)) == len(codes)
    assert all(code.startswith("provider_") for code in codes)
