"""`python -m server compare`: whether the stored events, replayed into an empty database, make the stored documents."""

from collections.abc import Callable, Sequence

from server import wiring
from server.cli.progress import Progress
from server.settings import Settings
from server.storage.comparison import Comparison, Difference
from server.storage.database import database
from server.storage.stories import how_many

_MOST = 100


async def compare(settings: Settings, conversations: Sequence[str], say: Callable[[str], None]) -> int:
    """Compare, and say what differs; the exit code. Errors: `NotConfigured`, `Unavailable`."""
    if settings.mongodb_url is None:
        raise wiring.NotConfigured("Set CHAT_MONGODB_URL, or run `up` here, whose database is used.")
    compared: set[str] = set()
    events = documents = 0
    found: list[Difference] = []
    async with database(settings.mongodb_url, settings.mongodb_database) as client:
        with Progress() as progress:
            total = len(conversations) or await how_many()
            async for one in Comparison(client, settings.mongodb_database).run(conversations):
                compared.add(one.conversation)
                events += one.events
                documents += one.documents
                found += one.differences
                progress(len(compared), total, "conversations compared")
    for one in found[:_MOST]:
        say(f"{one.collection} {one.document} {one.field}: stored {one.stored!r}, replayed {one.replayed!r}")
    if len(found) > _MOST:
        say(f"… and {len(found) - _MOST} more.")
    missing = [name for name in conversations if name not in compared]
    for name in missing:
        say(f"There is no conversation {name}.")
    if missing and not compared:
        return 1
    checked = f"{events} events of {len(compared)} conversations, {documents} documents"
    say(f"{len(found)} differences in {checked}." if found else f"The same, field by field: {checked}.")
    return 1 if found or missing else 0
