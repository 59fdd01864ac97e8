"""The breakers of all processes, joined: what `providers` needs to know of the others, told over `realtime`."""

from collections.abc import Sequence

import msgspec
import structlog

from providers.health import FleetAway, Health, News
from realtime.board.contract import Board
from realtime.errors import Unavailable
from realtime.signals.contract import Signals

_log = structlog.get_logger(__name__)

_SIGNAL = "breakers"
_KEPT_SECONDS = 300.0


class _Told(msgspec.Struct):
    by: str
    key: str
    news: News


_decode = msgspec.json.Decoder(_Told).decode


class SharedBreakers:
    """`providers.health.Fleet`: a fact for each breaker that is open, and a signal for each piece of news."""

    def __init__(self, board: Board, signals: Signals, instance: str) -> None:
        self._board = board
        self._signals = signals
        self._instance = instance

    async def tell(self, key: str, news: News) -> None:
        """See the port."""
        said = msgspec.json.encode(_Told(self._instance, key, news)).decode()
        try:
            if news.kind == "opened":
                await self._board.put_up(f"breaker:{key}", said, _KEPT_SECONDS)
            elif news.kind == "closed":
                await self._board.take_down(f"breaker:{key}")
            await self._signals.send(_SIGNAL, said)
        except Unavailable as error:
            raise FleetAway(str(error)) from error

    async def ask(self, keys: Sequence[str]) -> dict[str, News]:
        """See the port."""
        try:
            facts = await self._board.read([f"breaker:{key}" for key in keys])
        except Unavailable as error:
            raise FleetAway(str(error)) from error
        return {told.key: told.news for told in map(_decode, facts.values())}

    async def take_probe(self, key: str, seconds: float) -> bool:
        """See the port."""
        try:
            return await self._board.take_turn(f"probe:{key}", self._instance, seconds)
        except Unavailable as error:
            raise FleetAway(str(error)) from error

    async def give_probe_back(self, key: str) -> None:
        """See the port."""
        try:
            await self._board.give_turn_back(f"probe:{key}", self._instance)
        except Unavailable as error:
            raise FleetAway(str(error)) from error

    async def listen(self, health: Health) -> None:
        """Let the breakers of this process hear of the others', until cancelled."""
        async for said in self._signals.listen(_SIGNAL):
            try:
                told = _decode(said)
            except msgspec.DecodeError:
                _log.warning("not understood of another version's breakers")
                continue
            if told.by != self._instance:
                health.hear(told.key, told.news)
