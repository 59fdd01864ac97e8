"""Bad input over HTTP: each kind gets its documented problem, and the next good request works."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.client import Http
from tests.support.documented import documented_codes
from tests.support.house import House

CONVERSATIONS = "/v1/conversations"
IMPORT = f"{CONVERSATIONS}/import"
LONG_AGO = "9" * 15 + ".cnv_1"


@dataclasses.dataclass(frozen=True)
class Bad:
    """A bad request and what answers it."""

    method: str
    path: str
    status: int
    code: str
    field: str | None = None
    body: bytes | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


def tool(value: bytes) -> Bad:
    """A tool whose schema has a value that cannot be kept."""
    body = b'{"settings":{"tools":[{"name":"t","parameters":{"x":%b}}]}}' % value
    return Bad("POST", CONVERSATIONS, 422, "invalid", "settings.tools.0.parameters", body)


BAD = {
    "half of a JSON": Bad("POST", CONVERSATIONS, 400, "bad_json", body=b'{"title":'),
    "bytes that are no UTF-8": Bad("POST", CONVERSATIONS, 400, "bad_json", body=b'{"title":"\xff"}'),
    "deeply nested": Bad("POST", CONVERSATIONS, 400, "bad_json", body=b"[" * 100_000),
    "a list": Bad("POST", CONVERSATIONS, 422, "invalid", body=b"[]"),
    "an unknown field": Bad("POST", CONVERSATIONS, 422, "invalid", "titel", b'{"titel":"x"}'),
    "a wrong type": Bad("POST", CONVERSATIONS, 422, "invalid", "title", b'{"title":7}'),
    "a long title": Bad("POST", CONVERSATIONS, 422, "invalid", "title", b'{"title":"%b"}' % (b"x" * 201)),
    "a nested field": Bad(
        "POST", CONVERSATIONS, 422, "invalid", "settings.temperature", b'{"settings":{"temperature":3}}'
    ),
    "a number beyond 64 bits": tool(b"1" * 30),
    "a number that is none": tool(b"NaN"),
    "a name with a NUL": tool(rb'{"a\u0000b":1}'),
    "nested beyond what is kept": tool(b'{"a":' * 60 + b"1" + b"}" * 60),
    "a time before all time": Bad(
        "POST", IMPORT, 422, "invalid", "created_at", b'{"created_at":"0001-01-01T00:00:00+14:00"}'
    ),
    "a search after all time": Bad(
        "GET", "/v1/search?q=a&from=9999-12-31T23:59:59-14:00", 422, "invalid", "from"
    ),
    "a setting of a send": Bad(
        "POST",
        f"{CONVERSATIONS}/cnv_1/messages",
        422,
        "invalid",
        "reply.temperature",
        b'{"text":"x","reply":{"temperature":3}}',
    ),
    "a body of 2 MB": Bad("POST", CONVERSATIONS, 413, "too_large", body=b" " * 2_000_000),
    "another method": Bad("PUT", CONVERSATIONS, 405, "method_not_allowed"),
    "another method on a document": Bad("POST", "/openapi.json", 405, "method_not_allowed"),
    "another method on a probe": Bad("DELETE", "/readyz", 405, "method_not_allowed"),
    "another method on a stream": Bad("POST", f"{CONVERSATIONS}/cnv_1/events", 405, "method_not_allowed"),
    "no such route": Bad("GET", "/v1/conversation", 404, "not_found"),
    "no such page": Bad("GET", "/static/nothing.js", 404, "not_found"),
    "out of the folder": Bad("GET", "/static/..%2f..%2fpyproject.toml", 404, "not_found"),
    "no such conversation": Bad("GET", f"{CONVERSATIONS}/cnv_1", 404, "not_found"),
    "no such reply": Bad("GET", "/v1/replies/msg_1", 404, "not_found"),
    "an unknown parameter": Bad("GET", f"{CONVERSATIONS}?limits=5", 422, "invalid", "limits"),
    "a parameter where none is": Bad("GET", "/v1/me?name=x", 422, "invalid", "name"),
    "a parameter of a stream": Bad("GET", f"{CONVERSATIONS}/cnv_1/events?after=1", 422, "invalid", "after"),
    "a limit of none": Bad("GET", f"{CONVERSATIONS}?limit=0", 422, "invalid", "limit"),
    "a limit too far": Bad("GET", f"{CONVERSATIONS}?limit=201", 422, "invalid", "limit"),
    "a limit that is no number": Bad("GET", f"{CONVERSATIONS}?limit=²", 422, "invalid", "limit"),
    "a cursor that is none": Bad("GET", f"{CONVERSATIONS}?after=yesterday", 422, "invalid", "after"),
    "a cursor with a strange digit": Bad("GET", f"{CONVERSATIONS}?after=²", 422, "invalid", "after"),
    "a cursor beyond all time": Bad("GET", f"{CONVERSATIONS}?before={LONG_AGO}", 422, "invalid", "before"),
    "two cursors": Bad("GET", f"{CONVERSATIONS}?before=1.a&after=1.b", 422, "invalid", "before"),
    "a Last-Event-ID that is none": Bad(
        "GET",
        f"{CONVERSATIONS}/cnv_1/events",
        422,
        "invalid",
        "Last-Event-ID",
        headers={"Last-Event-ID": "41"},
    ),
    "a Last-Event-ID with a strange digit": Bad(
        "GET",
        f"{CONVERSATIONS}/cnv_1/events",
        422,
        "invalid",
        "Last-Event-ID",
        headers={"Last-Event-ID": "e:²"},
    ),
    "no token": Bad("GET", "/v1/me", 401, "unauthenticated", headers={"Authorization": ""}),
    "a token that is none": Bad(
        "GET", "/v1/me", 401, "unauthenticated", headers={"Authorization": "Bearer x"}
    ),
    "another scheme": Bad("GET", "/v1/me", 401, "unauthenticated", headers={"Authorization": "Basic eDp5"}),
    "no token for a stream": Bad(
        "GET", f"{CONVERSATIONS}/cnv_1/events", 401, "unauthenticated", headers={"Authorization": ""}
    ),
}


def check_problem(response: httpx2.Response) -> dict[str, Any]:
    """The rules that every problem keeps."""
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["status"] == response.status_code
    assert problem["code"] in documented_codes()
    assert problem["detail"].endswith(".")
    assert "Traceback" not in response.text
    return problem


@pytest.fixture
def guest(house: House) -> Iterator[httpx2.Client]:
    """Give a guest whose requests are not awaited, as the generator of examples wants it."""
    with httpx2.Client(base_url=house.there, trust_env=False, timeout=10, verify=False) as client:
        token = client.post("/v1/session").json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_request_is_answered(ada: Http, kind: str) -> None:
    """Its status, its code and its field, in a problem document; and the next request works."""
    bad = BAD[kind]
    headers = {name.encode(): value.encode("latin-1") for name, value in bad.headers.items()}
    response = await ada.client.request(bad.method, bad.path, content=bad.body, headers=headers)
    assert response.status_code == bad.status, response.text
    problem = check_problem(response)
    assert (problem["code"], problem.get("field")) == (bad.code, bad.field), problem
    if bad.status == 405:
        assert response.headers["allow"]
    if bad.status == 401:
        assert response.headers["www-authenticate"] == "Bearer"
    assert (await ada.get("/v1/me"))["id"] == ada.user


@pytest.mark.parametrize(
    ("said", "code", "field"),
    [
        ({}, "invalid", "text"),
        ({"text": ""}, "text_empty", "text"),
        ({"text": "\n \t"}, "text_empty", "text"),
        ({"text": "x" * 60_000}, "text_too_long", "text"),
        ({"text": None}, "invalid", "text"),
        ({"text": "x", "key": ""}, "invalid", "key"),
        ({"text": "x", "key": "k" * 129}, "invalid", "key"),
        ({"text": "x", "reply": {"max_tokens": 0}}, "invalid", None),
        ({"text": "x", "reply": True}, "invalid", None),
        ({"text": "x", "reply": {"provider": "nowhere"}}, "unknown_provider", "provider"),
    ],
)
async def test_a_bad_message_is_answered(
    ada: Http, said: dict[str, Any], code: str, field: str | None
) -> None:
    """Nothing of it is stored."""
    conversation = await ada.conversation()
    path = f"{CONVERSATIONS}/{conversation}/messages"
    response = await ada.client.post(path, json=said)
    assert response.status_code == 422
    problem = check_problem(response)
    assert problem["code"] == code
    assert field is None or problem["field"] == field
    assert await ada.messages(conversation) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
said_of_conversations = st.dictionaries(
    st.sampled_from(["title", "character", "members", "settings", "other"]), json_values, max_size=4
)


@given(body=st.binary(max_size=80) | said_of_conversations.map(lambda said: json.dumps(said).encode()))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_body_at_all(guest: httpx2.Client, body: bytes) -> None:
    """Whatever comes is either taken or refused with a documented code; never a bug, never a hang."""
    response = guest.post(CONVERSATIONS, content=body)
    if response.status_code != 201:
        assert check_problem(response)["code"] != "internal"


@given(
    name=st.sampled_from(["after", "before", "limit", "other"]),
    value=st.text(max_size=30),
    path=st.text(max_size=20),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_address_at_all(guest: httpx2.Client, name: str, value: str, path: str) -> None:
    """The same for what stands in an address."""
    for url in (CONVERSATIONS, f"{CONVERSATIONS}/{_escaped(path)}/messages"):
        response = guest.get(url, params={name: value})
        if response.status_code not in (200, 307):
            assert check_problem(response)["code"] != "internal"


def _escaped(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "replace"))
