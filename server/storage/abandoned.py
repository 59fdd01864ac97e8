"""Transactions that their process left open when it died: MongoDB keeps them, and what they hold, for a minute.

Until then nobody else can write the conversation that they had begun to write, and whoever takes a reply over would
have to wait. A transaction of ours never rests for longer than a round trip, so one that does belongs to a process that
is dead, or that was stopped, whose write is not wanted any more. (One of a process that is only slow is tried again.)
"""

import asyncio
from typing import Any

import structlog
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from server.domain.errors import Unavailable
from server.storage.database import APP_NAME, Client, reachable

_log = structlog.get_logger(__name__)

_EVERY_SECONDS = 1.0


async def abort_abandoned(client: Client, rested_seconds: float) -> int:
    """Abort the transactions of ours that have rested for so long; returns how many. Errors: `Unavailable`."""
    pipeline: list[dict[str, Any]] = [
        {"$currentOp": {"idleSessions": True}},
        {
            "$match": {
                "type": "idleSession",
                "appName": APP_NAME,
                "transaction.timeInactiveMicros": {"$gt": int(rested_seconds * 1e6)},
            }
        },
        {"$project": {"lsid": 1}},
    ]
    async with reachable():
        cursor = await client.get_database("admin", read_concern=ReadConcern("local")).aggregate(pipeline)
        sessions = [{"id": row["lsid"]["id"]} async for row in cursor]
        if sessions:
            await client.admin.command("killSessions", sessions)
    return len(sessions)


class Abandoned:
    """Any number of processes may look: aborting twice is aborting once."""

    def __init__(self, client: Client, rested_seconds: float) -> None:
        self._client = client
        self._rested_seconds = rested_seconds

    async def run(self) -> None:
        """Look every second until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            try:
                if found := await abort_abandoned(self._client, self._rested_seconds):
                    _log.warning("a process died in a transaction: aborted it", transactions=found)
            except Unavailable as error:
                if isinstance(error.__cause__, OperationFailure):
                    _log.warning("may not look for abandoned transactions", error=str(error.__cause__))
                    return
