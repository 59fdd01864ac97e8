"""The board on Redis or Valkey: a string with a time to live for each fact."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from realtime.redis import Client, Script, each, run, translated_errors

_GIVE_BACK = Script(Path(__file__).parent / "give_turn_back.lua")

_RAISE = Script(Path(__file__).parent / "raise.lua")


def _fact(name: str) -> str:
    return f"board:{name}"


def _turn(name: str) -> str:
    return f"turn:{name}"


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


class RedisBoard:
    """`realtime.board.contract.Board`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def put_up(self, name: str, fact: str, seconds: float) -> None:
        """See the port."""
        await self._do("SET", _fact(name), fact, "PX", _milliseconds(seconds))

    async def raise_up(self, facts: Mapping[str, str], seconds: float) -> None:
        """See the port."""
        time = _milliseconds(seconds)
        async with translated_errors():
            await run(self._client, _RAISE, [([_fact(name)], [said, time]) for name, said in facts.items()])

    async def take_down(self, name: str) -> None:
        """See the port."""
        await self._do("DEL", _fact(name))

    async def read(self, names: Sequence[str]) -> dict[str, str]:
        """See the port."""
        if not names:
            return {}
        async with translated_errors():
            found = await each(self._client, [("GET", _fact(name)) for name in names])
            for one in found:
                if isinstance(one, BaseException):
                    raise one
        return {name: one.decode() for name, one in zip(names, found, strict=True) if one is not None}

    async def take_turn(self, name: str, owner: str, seconds: float) -> bool:
        """See the port."""
        return await self._do("SET", _turn(name), owner, "NX", "PX", _milliseconds(seconds)) is not None

    async def give_turn_back(self, name: str, owner: str) -> None:
        """See the port."""
        async with translated_errors():
            await run(self._client, _GIVE_BACK, [([_turn(name)], [owner])])

    async def _do(self, *command: str | int) -> Any:
        async with translated_errors():
            [outcome] = await each(self._client, [command])
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome
