"""An engine that runs as a child of this process, and the address where it is reached."""

from dataclasses import dataclass

from server.embedded.child import Program


@dataclass(frozen=True, slots=True)
class Engine:
    """What to start, and the URL that it answers at once its program is ready."""

    program: Program
    url: str
