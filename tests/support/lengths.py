"""Fails on files and functions that have grown too long, and lists them.

Functions are measured in Python, by its syntax tree, and in JavaScript, roughly: from a line that opens a
function to the closing brace at the same depth of indentation.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LIMIT = 400
FUNCTION_LIMIT = 60

_SUFFIXES = {".py", ".js", ".mjs", ".css", ".lua"}
_FOREIGN = {"node_modules", "vendor", "__pycache__"}
_JS_FUNCTION = re.compile(
    r"^(?P<indent> *)(?:export )?(?:default )?(?:static )?(?:async )?"
    r"(?:function\b[ *]*|(?:const |let )(?=\w+ = .*=> \{$)|(?!if\b|for\b|while\b|switch\b|catch\b)(?=[#\w]+\(.*\) \{$))"
    r"(?P<name>[#\w]*).*\{$"
)


def own_files(folder: Path) -> Iterator[Path]:
    """The source files below a folder that are written here: nothing hidden, fetched or generated."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _FOREIGN:
            continue
        if path.is_dir():
            yield from own_files(path)
        elif path.suffix in _SUFFIXES:
            yield path


def python_functions(text: str) -> Iterator[tuple[int, str, int]]:
    """Line, name and length of each function of a Python file, decorators left out."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def javascript_functions(text: str) -> Iterator[tuple[int, str, int]]:
    """Line, name and length of what looks like a function in a JavaScript file."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if found := _JS_FUNCTION.match(line):
            closing = found["indent"] + "}"
            rest = enumerate(lines[number:], start=1)
            length = next((length for length, other in rest if length > 1 and other.startswith(closing)), 1)
            yield number + 1, found["name"] or "function", length


def too_long(path: Path) -> Iterator[str]:
    """What is too long in a file, one line each."""
    text = path.read_text()
    lines = len(text.splitlines())
    if lines > FILE_LIMIT:
        yield f"{path}: {lines} lines, more than {FILE_LIMIT}"
    functions = {".py": python_functions, ".js": javascript_functions, ".mjs": javascript_functions}
    if measure := functions.get(path.suffix):
        for line, name, length in measure(text):
            if length > FUNCTION_LIMIT:
                yield f"{path}:{line}: {name} has {length} lines, more than {FUNCTION_LIMIT}"


def main() -> None:
    """Check the working folder, or the folders that are named."""
    folders = [Path(name) for name in sys.argv[1:]] or [Path()]
    found = [line for folder in folders for path in own_files(folder) for line in too_long(path)]
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
