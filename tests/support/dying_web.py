"""`python -m server`, but for one thing: the process ends at once between the commit of a send and its queue.

The text of the message says so: `die here`. Everything else is done as ever.
"""

import os

from server.cli.app import app
from server.commands.deciding import Decided
from server.commands.telling import Telling
from server.domain.events import MessageCreated

_tell = Telling.__call__


async def _die_or_tell(self: Telling, decided: Decided, place: int | None = None) -> None:
    if any(isinstance(event, MessageCreated) and "die here" in event.text for event in decided.events):
        os._exit(9)
    await _tell(self, decided, place)


if __name__ == "__main__":
    Telling.__call__ = _die_or_tell  # type: ignore[method-assign]
    app()
