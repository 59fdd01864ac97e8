"""From errors to what clients are told: every error has its place in the table, and the table in the document."""

import re
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from pydantic import BaseModel, ValidationError

from realtime.session import CloseCode
from server.domain import errors
from server.web.problems import HttpProblem, invalid, problem_of, refusal_of, response_of

PROTOCOL = Path("docs/protocol.md").read_text()
DOCUMENTED = dict(re.findall(r"^\| (`[a-z_`, ]+`) \| (\d{3}) \|", PROTOCOL, re.MULTILINE))

EXAMPLES = [
    (errors.Invalid("text_empty", "Nothing.", field="text"), 422),
    (errors.Unauthenticated("unauthenticated", "Who?"), 401),
    (errors.Forbidden("forbidden", "No."), 403),
    (errors.NotFound("message"), 404),
    (errors.Conflict("key_reused", "Used."), 409),
    (errors.TooLarge(), 413),
    (errors.QuotaExceeded("As much as one may have.", retry_after=2.0), 429),
    (errors.Unavailable("The database"), 503),
    (errors.Overloaded("Too much at once."), 503),
]


def test_every_error_of_the_chat_has_a_status() -> None:
    """A new kind of error must say what it means over HTTP."""
    assert {type(error) for error, _ in EXAMPLES} == set(errors.ChatError.__subclasses__())


@pytest.mark.parametrize(("error", "status"), EXAMPLES, ids=lambda value: getattr(value, "code", None))
def test_an_error_is_the_same_over_http_and_on_the_socket(error: errors.ChatError, status: int) -> None:
    """One code, one sentence, one field; the status and the media type are HTTP's."""
    response, refusal = response_of(error), refusal_of(error, "7")
    told = msgspec.json.decode(response.body)
    assert response.media_type == "application/problem+json"
    assert response.status_code == told["status"] == status
    assert told["title"]
    assert refusal.frame_id == "7"
    expected = (error.code, error.detail, error.field, error.retry_after)
    assert (told["code"], told["detail"], told.get("field"), told.get("retry_after")) == expected
    assert (refusal.code, refusal.detail, refusal.field, refusal.retry_after) == expected


def test_codes_stand_in_the_protocol_with_their_status() -> None:
    """What a client may rely on is written down."""
    statuses = {
        code.strip("` "): int(status) for codes, status in DOCUMENTED.items() for code in codes.split(",")
    }
    for error, status in EXAMPLES:
        assert statuses[error.code] == status
    assert {"bad_frame", "unknown_type", "invalid", "rate_limited", "internal"} <= statuses.keys()


def test_who_is_unknown_is_asked_for_a_token_and_shown_out() -> None:
    """401 says how to authenticate; a socket is closed with 4401 after its answer."""
    error = errors.Unauthenticated("unauthenticated", "Who?")
    assert response_of(error).headers["WWW-Authenticate"] == "Bearer"
    assert refusal_of(error).close == CloseCode.UNAUTHENTICATED
    assert refusal_of(errors.Forbidden("forbidden", "No.")).close is None


def test_later_is_a_header_in_whole_seconds() -> None:
    """`Retry-After` is never 0: that would mean at once."""
    assert response_of(errors.Unavailable("It", retry_after=0.2)).headers["Retry-After"] == "1"
    assert "Retry-After" not in response_of(errors.NotFound("reply")).headers


def test_a_bug_tells_nothing_but_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the exception nor its words leave the house; our log has them under the incident."""
    error = ZeroDivisionError("the secret formula")
    problem = problem_of(error)
    assert (problem.status, problem.code) == (500, "internal")
    assert problem.incident
    assert "secret" not in problem.model_dump_json()
    said = capsys.readouterr().out
    assert problem.incident in said
    assert "secret formula" in said
    refusal = refusal_of(error)
    assert refusal.code == "internal"
    assert "inc_" in refusal.detail


def test_what_does_not_fit_a_model_names_its_field() -> None:
    """A body that pydantic refuses is `invalid`, with the place as a path, and without the names of our types."""

    class Inner(BaseModel):
        n: int

    class Outer(BaseModel):
        inner: Inner | Literal[False]

    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"inner": {"n": "x"}})
    problem = problem_of(invalid(caught.value))
    assert (problem.status, problem.code, problem.field) == (422, "invalid", "inner.n")
    assert problem.detail.startswith("inner.n: ")


def test_what_does_not_fit_a_model_of_ours_is_a_bug() -> None:
    """Something stored that cannot be read is no fault of whoever asks for it."""

    class Stored(BaseModel):
        n: int

    with pytest.raises(ValidationError) as caught:
        Stored.model_validate({"n": "x"})
    problem = problem_of(caught.value)
    assert (problem.status, problem.code, problem.field) == (500, "internal", None)


@pytest.mark.parametrize("status", [400, 404, 405, 413])
def test_problems_of_http_itself_have_a_title(status: int) -> None:
    """Whatever the routes refuse is a problem document too."""
    problem = problem_of(HttpProblem(status, "some_code", "A sentence."))
    assert (problem.status, problem.code) == (status, "some_code")
    assert problem.title
