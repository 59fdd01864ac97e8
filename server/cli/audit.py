"""`python -m server audit`: whether every promise was kept, over all that is stored."""

from collections.abc import Sequence
from datetime import timedelta

from rich.console import Console
from rich.table import Table

from realtime.lifetimes import lasting
from realtime.redis import command_client
from server import wiring
from server.cli.progress import Progress
from server.domain.conservation import findings
from server.domain.kept_quotas import accounting
from server.domain.stored_story import Finding
from server.settings import Settings
from server.storage.allowances import stored_accounts
from server.storage.database import database
from server.storage.stories import how_many, stories, strays

_MOST = 100


async def audit(settings: Settings, young_seconds: float) -> int:
    """Check, and print what was found; the exit code. Errors: `NotConfigured`, `Unavailable`."""
    if settings.mongodb_url is None:
        raise wiring.NotConfigured("Set CHAT_MONGODB_URL, or run `up` here, whose database is used.")
    found: list[Finding] = []
    conversations = replies = 0
    async with database(settings.mongodb_url, settings.mongodb_database) as client:
        with Progress() as progress:
            total = await how_many()
            async for story in stories(client):
                conversations += 1
                replies += len(story.replies)
                found += findings(story, wiring.now(), timedelta(seconds=young_seconds))
                progress(conversations, total, "conversations checked")
        if settings.quota_replies is not None or settings.quota_tokens is not None:
            async for stored in stored_accounts(client):
                found += accounting(stored)
        found += [Finding("no strays", name, "events of no conversation") for name in await strays()]
    checked = f"{conversations} conversations, {replies} replies"
    if settings.redis_url is not None:
        async with command_client(settings.redis_url) as engine:
            found += [
                Finding("nothing lives for ever", key, "no time to live") for key in await lasting(engine)
            ]
        checked += ", every key of Redis"
    _print(found, checked)
    return 1 if found else 0


def _print(found: Sequence[Finding], checked: str) -> None:
    console = Console(width=None if Console().is_terminal else 160)
    if not found:
        console.print(f"Every promise was kept: {checked}.", highlight=False)
        return
    table = Table(title=f"{len(found)} findings in {checked}", title_justify="left", title_style="bold")
    for column in ("promise", "of", "what is wrong"):
        table.add_column(column, overflow="fold")
    for finding in found[:_MOST]:
        table.add_row(finding.rule, finding.subject, finding.detail)
    console.print(table)
    if len(found) > _MOST:
        console.print(f"… and {len(found) - _MOST} more.")
