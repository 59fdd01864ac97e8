"""What docs/protocol.md says, for tests that hold the code to it, and it to the code."""

import re
from functools import cache
from pathlib import Path

PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol.md"


def section(title: str) -> str:
    """One section of the protocol, without its heading."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PROTOCOL.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"docs/protocol.md has no section {title!r}"
    return found[1]


@cache
def documented_codes() -> frozenset[str]:
    """The error codes: those of the table, and those that a failed reply may have."""
    text = section("Errors")
    first_cells = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
    table = {code for cell in first_cells for code in re.findall(r"`(\w+)`", cell)}
    failures = text[text.index("`reply.failed`") :]
    return frozenset(table | set(re.findall(r"`(\w+)`", failures)))


@cache
def documented_close_codes() -> frozenset[int]:
    """The codes with which a socket is closed by the server."""
    cells = re.findall(r"^\| ([\d, ]+) \|", section("Close codes"), re.MULTILINE)
    return frozenset(int(code) for cell in cells for code in cell.split(","))


@cache
def documented_events() -> frozenset[str]:
    """The types of events."""
    return frozenset(re.findall(r"^\| `([a-z_.]+)` \|", section("Events"), re.MULTILINE))


@cache
def documented_frames() -> tuple[frozenset[str], frozenset[str]]:
    """The types of what a client sends, and of what answers it."""
    rows = re.findall(r"^\| `(\w+)[^`]*` \| `(\w+)", section("The socket"), re.MULTILINE)
    return frozenset(row[0] for row in rows), frozenset(row[1] for row in rows)
