"""docs/protocol.md and the code say the same: every code, event, frame and close code stands in both."""

import ast
from collections.abc import Iterator
from pathlib import Path

from realtime.session import CloseCode
from server.domain.wire import EVENTS
from server.web.asyncapi import asyncapi
from server.web.frames import FRAMES
from tests.support.documented import (
    documented_close_codes,
    documented_codes,
    documented_events,
    documented_frames,
)

ROOT = Path(__file__).parents[2]
PACKAGES = ("server", "realtime", "providers")

CODE_IS_FIRST = {"Invalid", "Unauthenticated", "Forbidden", "Conflict", "Refused"}
CODE_IS_SECOND = {"HttpProblem", "_problem"}
FRAMEWORKS = {1000, 1001, 1009}
"""Close codes that no line of ours sends, but the library under us does, or the client."""


def codes_in_the_code() -> set[str]:
    """Every error code that is written down anywhere in the packages."""
    trees = [ast.parse(path.read_text()) for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return {code for tree in trees for node in ast.walk(tree) for code in _codes(node)}


def _codes(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call(func=ast.Name(name), args=arguments, keywords=keywords):
            place = 0 if name in CODE_IS_FIRST else 1 if name in CODE_IS_SECOND else len(arguments)
            yield from _literal(*arguments[place : place + 1])
            yield from _literal(*(keyword.value for keyword in keywords if keyword.arg == "code"))
        case ast.Call(func=ast.Attribute(attr="__init__"), args=[code, *_]):
            yield from _literal(code)
        case ast.AnnAssign(annotation=ast.Name("Code"), value=ast.Constant() as value):
            yield from _literal(value)
        case ast.Assign(targets=[ast.Name("code")], value=value):
            yield from _literal(value)
        case ast.arguments(kwonlyargs=names, kw_defaults=defaults):
            pairs = zip(names, defaults, strict=True)
            yield from _literal(*(default for name, default in pairs if name.arg == "code" and default))


def _literal(*values: ast.expr) -> Iterator[str]:
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value.isidentifier():
            yield value.value


def test_every_error_code_is_documented() -> None:
    """A client's author finds each code that can come, and none that cannot."""
    assert codes_in_the_code() == documented_codes()


def test_every_close_code_is_documented() -> None:
    """With its advice whether to come back."""
    ours = {code for name, code in vars(CloseCode).items() if name.isupper()}
    assert ours | FRAMEWORKS == documented_close_codes()


def test_every_event_is_documented() -> None:
    """The table of events has each type, and no other."""
    assert {kind.__struct_config__.tag for kind in EVENTS} == documented_events()


def test_every_frame_is_documented() -> None:
    """What a client sends, and the answer to it."""
    sent, answers = documented_frames()
    assert {kind.model_fields["type"].annotation.__args__[0] for kind in FRAMES} == sent
    known = {
        schema["properties"]["type"].get("const")
        for schema in asyncapi("")["components"]["schemas"].values()
        if "type" in schema.get("properties", {})
    }
    assert answers <= known
