"""The board: what every engine of it must keep."""

import pytest

from realtime.errors import Unavailable
from tests.support.realtime_engines import Engine
from tests.support.waiting import wait_until


async def test_a_fact_is_up_until_it_is_taken_down(engine: Engine, name: str) -> None:
    """The last writer is right; what is not up is not read."""
    board = engine.board
    await board.put_up(name, "one", 60)
    await board.put_up(name, "two", 60)
    assert await board.read([name, f"{name}-other"]) == {name: "two"}
    await board.take_down(name)
    await board.take_down(name)
    assert await board.read([name]) == {}
    assert await board.read([]) == {}


async def test_a_fact_falls_down_by_itself(engine: Engine, name: str) -> None:
    """After its time nobody reads it any more."""
    await engine.board.put_up(name, "one", 0.05)

    async def gone() -> bool:
        return await engine.board.read([name]) == {}

    await wait_until(gone)


async def test_a_fact_is_only_raised(engine: Engine, name: str) -> None:
    """Whoever is late with a lesser one changes nothing but how long it is up."""
    board, other = engine.board, f"{name}-other"
    await board.raise_up({name: "0002", other: "0001"}, 60)
    await board.raise_up({name: "0001", other: "0003"}, 60)
    assert await board.read([name, other]) == {name: "0002", other: "0003"}
    await board.raise_up({name: "0001"}, 0.05)

    async def gone() -> bool:
        return await board.read([name]) == {}

    await wait_until(gone)


async def test_a_turn_is_had_by_one(engine: Engine, name: str) -> None:
    """Of many that want it, one has it; when it gives it back, another may."""
    board = engine.board
    had = [await board.take_turn(name, f"owner-{n}", 60) for n in range(5)]
    assert sum(had) == 1
    owner = f"owner-{had.index(True)}"
    await board.give_turn_back(name, "somebody else")
    assert not await board.take_turn(name, "next", 60)
    await board.give_turn_back(name, owner)
    assert await board.take_turn(name, "next", 60)


async def test_a_turn_passes_on(engine: Engine, name: str) -> None:
    """An owner that died does not keep it, and cannot give back what is another's then."""
    board = engine.board
    assert await board.take_turn(name, "dead", 0.05)

    async def mine() -> bool:
        return await board.take_turn(name, "next", 60)

    await wait_until(mine)
    await board.give_turn_back(name, "dead")
    assert not await board.take_turn(name, "third", 60)


async def test_nobody_there(absent: Engine, name: str) -> None:
    """An engine that is away is said to be."""
    board = absent.board
    for call in (
        board.put_up(name, "x", 1),
        board.take_down(name),
        board.read([name]),
        board.take_turn(name, "x", 1),
        board.give_turn_back(name, "x"),
    ):
        with pytest.raises(Unavailable):
            await call
