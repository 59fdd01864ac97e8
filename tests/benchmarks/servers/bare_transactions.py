"""No server at all: the documents of an accepted send, written by the driver alone in one transaction.

Prints `{}`; answers `go CLIENTS EACH` (clients at once, transactions of each) by `{"accepted", "took"}`: the seconds
of each transaction, and of all together.
"""

import asyncio
import secrets
import sys
import time
from datetime import UTC, datetime
from typing import Any

from pymongo import AsyncMongoClient, IndexModel
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase

from server.storage.database import TRANSACTION
from tests.benchmarks.children import commands, run, say

_INDEXES = {"messages": ["conversation", "seq"], "events": ["stream", "version"]}


def _id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(16)}"


async def _send(
    client: AsyncMongoClient[dict[str, Any]], database: AsyncDatabase[dict[str, Any]], conversation: str
) -> None:
    async def write(session: AsyncClientSession) -> None:
        found = await database["conversations"].find_one_and_update(
            {"_id": conversation},
            {"$inc": {"version": 2, "last_seq": 2}},
            return_document=True,
            session=session,
        )
        assert found
        now, version, seq = datetime.now(UTC), found["version"], found["last_seq"]
        message, reply = _id("msg"), _id("msg")
        text = {"conversation": conversation, "at": now, "text": "What is it?", "user": conversation}
        events = [
            {"_id": _id("evt"), "stream": conversation, "version": version - 1, "data": text},
            {"_id": _id("evt"), "stream": conversation, "version": version, "data": text},
        ]
        messages = [{"_id": message, "seq": seq - 1, **text}, {"_id": reply, "seq": seq, **text}]
        await database["events"].insert_many(events, session=session)
        await database["messages"].insert_many(messages, session=session)
        await database["replies"].insert_one({"_id": reply, "status": "queued", **text}, session=session)

    async with client.start_session() as session:
        await session.with_transaction(write, **TRANSACTION)


async def _main() -> None:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(sys.argv[1], w="majority")
    async with client:
        database = client[f"bare_{secrets.token_hex(4)}"]
        for name, fields in _INDEXES.items():
            await database[name].create_indexes([IndexModel([(field, 1) for field in fields], unique=True)])
        loop = asyncio.get_running_loop()

        async def chat(each: int) -> list[float]:
            conversation, accepted = _id("cnv"), list[float]()
            await database["conversations"].insert_one({"_id": conversation, "version": 0, "last_seq": 0})
            for _ in range(each):
                began = time.perf_counter()
                await _send(client, database, conversation)
                accepted.append(time.perf_counter() - began)
            return accepted

        say()
        async for command in commands():
            began = loop.time()
            told = await asyncio.gather(*(chat(int(command[2])) for _ in range(int(command[1]))))
            say(accepted=[seconds for one in told for seconds in one], took=loop.time() - began)


if __name__ == "__main__":
    run(_main())
