"""A process dies in the midst of a transaction: what it had begun to write is free again soon, for everybody."""

import asyncio
import secrets
import subprocess
import sys

from pymongo.errors import OperationFailure

from server.storage.abandoned import abort_abandoned
from server.storage.database import database
from tests.support.waiting import wait_until

_DIE = """
import os, sys
from pymongo import MongoClient
client = MongoClient(sys.argv[1], appname="tertulia")
session = client.start_session()
session.start_transaction()
client[sys.argv[2]]["conversations"].update_one({"_id": "cnv_1"}, {"$set": {"by": "dead"}}, session=session)
os._exit(9)
"""


async def test_a_transaction_does_not_outlive_its_process_for_long(mongodb_url: str) -> None:
    """Left alone, it would hold the conversation for a minute; what has not rested yet is left alone."""
    name = f"abandoned_{secrets.token_hex(4)}"
    async with database(mongodb_url, name) as client:
        conversations = client[name]["conversations"]
        await conversations.insert_one({"_id": "cnv_1", "by": "nobody"})
        argv = [sys.executable, "-c", _DIE, mongodb_url, name]
        died = await asyncio.to_thread(subprocess.run, argv, check=False)
        assert died.returncode == 9

        async def is_free() -> bool:
            async with client.start_session() as session:
                try:
                    async with await session.start_transaction():
                        await conversations.update_one(
                            {"_id": "cnv_1"}, {"$set": {"by": "alive"}}, session=session
                        )
                except OperationFailure:  # a write conflict
                    return False
            return True

        assert await abort_abandoned(client, 600) == 0
        assert not await is_free()

        async def aborted() -> bool:
            return await abort_abandoned(client, 0.5) > 0

        await wait_until(aborted)
        assert await is_free()
        assert (await conversations.find_one({"_id": "cnv_1"}) or {})["by"] == "alive"
