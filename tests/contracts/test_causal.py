"""Where reads are asked, and when they go to the primary after all."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest
from pymongo.read_preferences import Primary, SecondaryPreferred
from uuid_utils import uuid7

from server.domain.errors import Unavailable
from server.storage.causal import Causal, preferred
from server.storage.database import Client, database
from server.storage.documents import MessageDocument
from tests.support.realtime_engines import Engine


@dataclass
class Asked:
    """Notes by what mode each read was asked; the first `failing` times in vain."""

    client: Client
    failing: int = 0

    def __post_init__(self) -> None:
        self.modes: list[type] = []

    async def __call__(self) -> list[type]:
        """A read."""
        self.modes.append(type(MessageDocument.collection().read_preference))
        await preferred(self.client["nothing"]["here"]).find_one({})
        if len(self.modes) <= self.failing:
            raise Unavailable("The database")
        return self.modes


@pytest.fixture
async def client(mongodb_url: str) -> AsyncGenerator[Client]:
    """Give a database of its own."""
    name = f"causal_{uuid7().hex}"
    async with database(mongodb_url, name) as client:
        yield client
        await client.drop_database(name)


async def test_a_read_is_asked_as_preferred(client: Client, engine: Engine, name: str) -> None:
    """And with a mark no less; by default of the primary, without any mark."""
    causal = Causal(client, engine.board, "secondaryPreferred")
    async with client.start_session() as session:
        await client["nothing"]["here"].insert_one({}, session=session)
        await causal.wrote(session, name)
    assert await engine.board.read([f"wrote:{name}"])
    assert await causal.read(Asked(client), name) == [SecondaryPreferred]
    assert await Asked(client)() == [Primary]
    other = Causal(client, engine.board, "primary")
    await other.wrote(session, f"{name}-other")
    assert await engine.board.read([f"wrote:{name}-other"]) == {}
    assert await other.read(Asked(client), name) == [Primary]


async def test_what_no_secondary_answers_the_primary_does(client: Client, engine: Engine, name: str) -> None:
    """Once more, and no oftener."""
    causal = Causal(client, engine.board, "secondaryPreferred")
    assert await causal.read(Asked(client, failing=1), name) == [SecondaryPreferred, Primary]
    assert causal.elsewhere == 1
    with pytest.raises(Unavailable):
        await causal.read(Asked(client, failing=2), name)


async def test_without_marks_the_primary_is_asked(client: Client, absent: Engine, name: str) -> None:
    """Nobody knows then what has been written, and a commit is none the worse for it."""
    causal = Causal(client, absent.board, "secondaryPreferred")
    assert await causal.read(Asked(client), name) == [Primary]
    async with client.start_session() as session:
        await client["nothing"]["here"].insert_one({}, session=session)
        await causal.wrote(session, name)


async def test_who_could_leave_no_mark_reads_from_the_primary(
    client: Client, engine: Engine, absent: Engine, name: str
) -> None:
    """For as long as the mark would have been there, also when marks can be read again."""
    causal = Causal(client, absent.board, "nearest")
    async with client.start_session() as session:
        await client["nothing"]["here"].insert_one({}, session=session)
        await causal.wrote(session, name)
    causal._board = engine.board
    assert await causal.read(Asked(client), name) == [Primary]
