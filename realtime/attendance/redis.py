"""Attendance on Redis or Valkey: a hash per topic, a sorted set of the instances that are alive.

Notices travel on the channel of the topic's log, so that an instance follows one channel per topic.
"""

from collections.abc import Sequence, Set
from pathlib import Path

import msgspec

from realtime.attendance.contract import Everywhere
from realtime.log.redis import channel
from realtime.redis import Client, Script, each, publishing, run, translated_errors

_HERE = Script(Path(__file__).parent / "here.lua")
_ALIVE = Script(Path(__file__).parent / "alive.lua")
_INSTANCES = "presence:instances"
_ALIVE_SECONDS = 10
_KEPT_SECONDS = 3600
_encode = msgspec.json.Encoder().encode
_users = msgspec.json.Decoder(frozenset[str]).decode


def _notice(body: bytes) -> bytes:
    """No epoch begins with an exclamation mark."""
    return b"! " + body


class RedisAttendance:
    """`realtime.attendance.contract.Attendance`. The client must not decode responses."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._publish = publishing(client)

    async def here(self, instance: str, rooms: Sequence[tuple[str, Set[str]]]) -> list[Everywhere]:
        """See the port."""
        calls = [
            (
                [f"presence:{{{topic}}}"],
                [
                    instance,
                    _encode(sorted(users)) if users else b"",
                    _KEPT_SECONDS,
                    channel(topic),
                    self._publish,
                    _notice(_encode({"instance": instance, "users": sorted(users)})),
                ],
            )
            for topic, users in rooms
        ]
        async with translated_errors():
            replies = await run(self._client, _HERE, calls)
        return [
            {name.decode(): _users(users) for name, users in zip(reply[::2], reply[1::2], strict=True)}
            for reply in replies
        ]

    async def alive(self, instance: str) -> Set[str]:
        """See the port."""
        async with translated_errors():
            [reply] = await run(self._client, _ALIVE, [([_INSTANCES], [instance, _ALIVE_SECONDS])])
        listed, names = reply
        return {name.decode() for name in names} - (set() if listed else {instance})

    async def gone(self, instance: str) -> None:
        """See the port."""
        async with translated_errors():
            await self._client.zrem(_INSTANCES, instance)

    async def tell(self, topic: str, notice: bytes) -> None:
        """See the port."""
        async with translated_errors():
            [outcome] = await each(self._client, [(self._publish, channel(topic), _notice(notice))])
            if isinstance(outcome, BaseException):
                raise outcome
