"""A MongoDB of three members: a primary, a secondary that keeps up, and one that can be told not to.

(Members with a delay of their own would not do: drivers do not ask them.)
"""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import ConnectionFailure

from server.embedded.guarded import GuardedProcess
from server.embedded.mongod import mongod
from tests.support.waiting import wait_until

Client = AsyncMongoClient[dict[str, Any]]


@dataclass
class Member:
    """One of them; `client` asks this one, whatever it is."""

    address: str
    process: GuardedProcess
    client: Client

    @asynccontextmanager
    async def behind(self) -> AsyncGenerator[None]:
        """Let it stay where it is, and answer from that, for as long as the body runs."""
        stop = {"configureFailPoint": "rsSyncApplyStop"}
        await self.client.admin.command(stop | {"mode": "alwaysOn"})
        yield
        await self.client.admin.command(stop | {"mode": "off"})

    def freeze(self) -> None:
        """Let it hang."""
        self.process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.signal(signal.SIGCONT)


@dataclass
class MongoSet:
    """All of them."""

    url: str
    primary: Member
    prompt: Member
    late: Member


@asynccontextmanager
async def mongo_set(folder: Path) -> AsyncGenerator[MongoSet]:
    """Running, and with a primary; none outlives the body."""
    async with AsyncExitStack() as stack:
        members: list[Member] = []
        for number in range(3):
            engine = mongod(folder / str(number))
            output = stack.enter_context((folder / f"{number}.log").open("ab"))
            argv = [*engine.program.argv, "--setParameter", "enableTestCommands=1"]
            process = GuardedProcess(argv, {}, output)
            stack.push_async_callback(process.close)
            address = engine.url.split("/")[2]
            url = f"mongodb://{address}/?directConnection=true&readPreference=secondaryPreferred"
            client = await stack.enter_async_context(Client(url, serverSelectionTimeoutMS=2000))
            members.append(Member(address, process, client))
        primary, prompt, late = members
        await _initiate(members)
        yield MongoSet(
            f"mongodb://{','.join(member.address for member in members)}/?replicaSet=tertulia",
            primary,
            prompt,
            late,
        )


async def _initiate(members: list[Member]) -> None:
    await asyncio.gather(*map(_listening, members))
    told: list[dict[str, Any]] = [
        {"_id": number, "host": member.address, "priority": 0} for number, member in enumerate(members)
    ]
    told[0]["priority"] = 1
    await members[0].client.admin.command("replSetInitiate", {"_id": "tertulia", "members": told})

    async def ready() -> bool:
        status = await members[0].client.admin.command("replSetGetStatus")
        return [member["stateStr"] for member in status["members"]] == ["PRIMARY", "SECONDARY", "SECONDARY"]

    await wait_until(ready, within=60)


async def _listening(member: Member) -> None:
    async def answers() -> bool:
        try:
            await member.client.admin.command("ping")
        except ConnectionFailure:
            return False
        return True

    await wait_until(answers, within=60)
