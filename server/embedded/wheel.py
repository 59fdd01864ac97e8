"""Files inside installed wheels, found without importing the packages that carry them."""

from importlib.util import find_spec
from pathlib import Path


def wheel_file(package: str, pattern: str) -> Path | None:
    """The file of a top-level `package` that matches the glob `pattern`; None when there is none."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for found in sorted(Path(folder).glob(pattern)):
            return found
    return None
