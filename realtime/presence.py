"""Who is here, and who is typing: across instances, a user once however many devices, and never a storm.

Each instance says who of a topic it has, as a state, and hears the same of the others; what an instance said counts
while it lives. Those who come and go are gathered for a moment before anybody is told, and who goes is taken for here a
little longer: a crowd that loses its connections and comes back is no news. A typist is taken for typing until the
notice says otherwise, the socket is gone, or no more is heard of it.
"""

import asyncio
from collections.abc import Set
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

import msgspec
import structlog

from realtime.attendance.contract import Attendance
from realtime.errors import Unavailable
from realtime.frames import Answer
from realtime.log.contract import Notice

_log = structlog.get_logger(__name__)

_BATCH_SECONDS = 0.25
_PAUSE_SECONDS_EACH = 0.001
_LONGEST_PAUSE_SECONDS = 5.0
_LINGER_SECONDS = 3.0
_ALIVE_SECONDS = 3.0
_RENEW_SECONDS = 1200.0
_AGAIN_SECONDS = 1.0
_TYPING_SECONDS = 6.0
_TYPING_AGAIN_SECONDS = 2.0
_AT_ONCE = 256
_MOST_USERS = 100
_MOST_NOTICES = 1000


class _Said(msgspec.Struct):
    """A notice: who is at an instance, or who types."""

    instance: str | None = None
    users: frozenset[str] = frozenset()
    user: str | None = None
    on: bool = False


_encode = msgspec.json.Encoder().encode
_said = msgspec.json.Decoder(_Said).decode


class Member(Protocol):
    """One client's end."""

    def tell(self, answer: Answer) -> None:
        """Take a frame that is of no log; returns at once."""
        ...


@dataclass(slots=True, eq=False)
class _Room:
    members: dict[Member, str] = field(default_factory=dict[Member, str])
    newcomers: set[Member] | None = None
    """Those who are still to be told who is here."""
    left: dict[str, float] | None = None
    """Users whose last device has gone, and until when they are taken for here."""
    elsewhere: dict[str, Set[str]] | None = None
    """The other instances' users; None until they were asked for."""
    overheard: dict[str, Set[str]] | None = None
    """What the others have said while they were asked for: it is newer than the answer, or the same."""
    said: Set[str] | None = None
    """What this instance has said last, and when it has to say it again."""
    say_again: float = 0.0
    told: Set[str] | None = None
    """What the members were told last."""
    tell_after: float = 0.0
    typing: dict[str, asyncio.TimerHandle] | None = None
    typists: dict[Member, float] | None = None
    """Members who have said that they type, and when they said so last."""


class Presence:
    """Run it with `start(group)`; `heard` is what the hub gives its notices to."""

    def __init__(
        self, attendance: Attendance, instance: str, *, batch_seconds: float = _BATCH_SECONDS
    ) -> None:
        self._attendance = attendance
        # A name of its own: who is started anew under an old name does not stand for what that one had.
        self._instance = f"{instance}-{uuid4().hex[:8]}"
        self._batch_seconds = batch_seconds
        self._rooms: dict[str, _Room] = {}
        self._dirty: dict[str, None] = {}
        self._woken = asyncio.Event()
        self._notices: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(_MOST_NOTICES)
        self._missing: set[str] = set()
        self._doubts = 0
        """How often all that is known had to be asked for anew."""
        self._loop = asyncio.get_running_loop()

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Begin; cancel the returned tasks to stop."""
        return [group.create_task(work) for work in (self._run(), self._live(), self._pass_on())]

    async def stop(self) -> None:
        """Say that this instance stops, so that nobody waits for it to be missed."""
        try:
            await self._attendance.gone(self._instance)
        except Unavailable:
            _log.debug("nobody was told that this instance stops")

    # ── what members do ──────────────────────────────────────────────────────────────────────────────────────

    def arrive(self, topic: str, user: str, member: Member) -> None:
        """A client follows the topic from now on; it will be told who is here."""
        room = self._rooms.get(topic)
        if room is None:
            room = self._rooms[topic] = _Room()
        room.members[member] = user
        room.newcomers = room.newcomers or set()
        room.newcomers.add(member)
        self._touch(topic)

    def leave(self, topic: str, member: Member) -> None:
        """It follows the topic no longer."""
        room = self._rooms.get(topic)
        if room is None or member not in room.members:
            return
        if room.typists and member in room.typists:
            self.type(topic, member, on=False)
        user = room.members.pop(member)
        room.left = room.left or {}
        room.left[user] = self._loop.time() + _LINGER_SECONDS
        self._touch(topic, after=_LINGER_SECONDS)

    def type(self, topic: str, member: Member, *, on: bool) -> bool:
        """Pass on that a member types, or has stopped; False when it does not follow the topic."""
        room = self._rooms.get(topic)
        if room is None or member not in room.members:
            return False
        now = self._loop.time()
        room.typists = room.typists or {}
        last = room.typists.get(member)
        if on and (last is None or now - last >= _TYPING_AGAIN_SECONDS):
            room.typists[member] = now
        elif not on and last is not None:
            del room.typists[member]
        else:
            return True
        notice = _encode({"user": room.members[member], "on": on})
        if not self._notices.full():
            self._notices.put_nowait((topic, notice))
        return True

    # ── what is heard ────────────────────────────────────────────────────────────────────────────────────────

    def heard(self, notice: Notice | None) -> None:
        """Take a notice of the hub; None when some may have been missed."""
        if notice is None:
            self._ask_again()
            return
        room = self._rooms.get(notice.topic)
        if room is None:
            return
        try:
            said = _said(notice.body)
        except msgspec.DecodeError:  # of another version of ours, while a fleet is renewed
            _log.warning("a notice that is not understood", topic=notice.topic)
            return
        if said.user is not None:
            self._types(notice.topic, room, said.user, on=said.on)
        elif said.instance not in (None, self._instance):
            self._are_elsewhere(notice.topic, room, said.instance, said.users)

    def _are_elsewhere(self, topic: str, room: _Room, instance: str, users: Set[str]) -> None:
        if room.elsewhere is None:
            if room.overheard is not None:
                room.overheard[instance] = users
            return
        room.elsewhere[instance] = users
        if not users:
            del room.elsewhere[instance]
        self._touch(topic)

    def _types(self, topic: str, room: _Room, user: str, *, on: bool) -> None:
        room.typing = room.typing or {}
        timer = room.typing.pop(user, None)
        if timer is not None:
            timer.cancel()
        if on:
            room.typing[user] = self._loop.call_later(_TYPING_SECONDS, self._types_no_more, topic, room, user)
        if on != (timer is not None):
            frame = _typing(topic, user, on=on)
            for member in list(room.members):
                if not room.newcomers or member not in room.newcomers:  # they are told with the rest
                    member.tell(frame)

    def _types_no_more(self, topic: str, room: _Room, user: str) -> None:
        self._types(topic, room, user, on=False)

    def _ask_again(self) -> None:
        """What was known of the others, and what they know of us, may be out of date."""
        self._doubts += 1
        for topic, room in self._rooms.items():
            room.elsewhere = room.said = None
            self._touch(topic)

    # ── what is told ─────────────────────────────────────────────────────────────────────────────────────────

    def _touch(self, topic: str, after: float = 0.0) -> None:
        if after:
            self._loop.call_later(after + 0.01, self._touch, topic)
        elif topic in self._rooms:
            self._dirty[topic] = None
            self._woken.set()

    async def _run(self) -> None:
        while True:
            await self._woken.wait()
            await asyncio.sleep(self._batch_seconds)
            self._woken.clear()
            topics, self._dirty = list(self._dirty), {}
            for start in range(0, len(topics), _AT_ONCE):
                await self._settle(topics[start : start + _AT_ONCE])

    async def _settle(self, topics: list[str]) -> None:
        now = self._loop.time()
        rooms = [(topic, self._rooms[topic]) for topic in topics if topic in self._rooms]
        here = [(topic, room, _here(room, now)) for topic, room in rooms]
        ask = [
            (topic, room, users)
            for topic, room, users in here
            if users != room.said or room.elsewhere is None or now >= room.say_again
        ]
        for _, room, _ in ask:
            room.overheard = {}
        doubts = self._doubts
        try:
            found = await self._attendance.here(self._instance, [(topic, users) for topic, _, users in ask])
        except Unavailable as error:
            _log.debug("nobody knows who is here", error=str(error))
            for topic in topics:
                self._touch(topic, after=_AGAIN_SECONDS)
            return
        if (
            doubts != self._doubts
        ):  # the answer may be of before; whatever made us doubt has touched all rooms
            return
        for (_, room, users), everywhere in zip(ask, found, strict=True):
            room.said, room.say_again = users, now + _RENEW_SECONDS
            if room.elsewhere is None:
                known = {**everywhere, **(room.overheard or {})}
                room.elsewhere = {one: them for one, them in known.items() if them and one != self._instance}
            room.overheard = None
        for topic, room, users in here:
            self._tell(topic, room, users)

    def _tell(self, topic: str, room: _Room, here: frozenset[str]) -> None:
        if not room.members:
            if not room.left:
                self._close(topic, room)
            return
        newcomers, room.newcomers = room.newcomers or set[Member](), None
        everybody = here.union(*room.elsewhere.values()) if room.elsewhere else here
        now = self._loop.time()
        news = everybody != room.told
        if news and now < room.tell_after:
            self._touch(topic, after=room.tell_after - now)
            news = False
        frame = _presence(topic, everybody)
        for member in list(room.members) if news else [one for one in newcomers if one in room.members]:
            member.tell(frame)
        for user in room.typing or ():
            for member in newcomers:
                if member in room.members:
                    member.tell(_typing(topic, user, on=True))
        if news:
            room.told = everybody
            pause = min(len(room.members) * _PAUSE_SECONDS_EACH, _LONGEST_PAUSE_SECONDS)
            room.tell_after = now + pause

    def _close(self, topic: str, room: _Room) -> None:
        del self._rooms[topic]
        for timer in (room.typing or {}).values():
            timer.cancel()

    # ── in the background ────────────────────────────────────────────────────────────────────────────────────

    async def _live(self) -> None:
        """Say that this instance lives; forget what was said by those that do not."""
        while True:
            try:
                alive = await self._attendance.alive(self._instance)
            except Unavailable:
                await asyncio.sleep(_ALIVE_SECONDS)
                continue
            now = self._loop.time()
            if self._instance not in alive and self._rooms:
                self._ask_again()  # the engine has forgotten us, or sees us for the first time
            missing: set[str] = set()
            for topic, room in self._rooms.items():
                for instance in [one for one in room.elsewhere or () if one not in alive]:
                    missing.add(instance)
                    # Once may be chance: its first sign of life may have been on its way.
                    if room.elsewhere and instance in self._missing:
                        del room.elsewhere[instance]
                        self._touch(topic)
                if room.said and now >= room.say_again:
                    self._touch(topic)
            self._missing = missing
            await asyncio.sleep(_ALIVE_SECONDS)

    async def _pass_on(self) -> None:
        while True:
            topic, notice = await self._notices.get()
            try:
                await self._attendance.tell(topic, notice)
            except Unavailable:
                _log.debug("a notice was lost", topic=topic)


def _here(room: _Room, now: float) -> frozenset[str]:
    """This instance's users, those included who have just gone."""
    room.left = {user: until for user, until in (room.left or {}).items() if until > now} or None
    return frozenset(room.members.values()) | frozenset(room.left or ())


def _presence(topic: str, users: Set[str]) -> Answer:
    some = sorted(users)[:_MOST_USERS]
    return Answer(_encode({"type": "presence", "conversation": topic, "users": some, "count": len(users)}))


def _typing(topic: str, user: str, *, on: bool) -> Answer:
    return Answer(_encode({"type": "typing", "conversation": topic, "user": user, "on": on}))
