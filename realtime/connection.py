"""One client's connection: the session's rules, its subscriptions, and its outbox, around a socket.

An idle connection has no task and no buffer of its own beside the one that waits for the client's next frame: a
frame that the socket takes at once is written where it is made, and only when the client cannot keep up does a writer
start, which ends when nothing waits any more.
"""

import asyncio
from collections.abc import Sequence
from math import inf
from typing import Any

import msgspec
import structlog

from realtime.contract import Application, Socket, SocketClosed, SubscribeFrame, TypingFrame
from realtime.errors import Overloaded, Unavailable
from realtime.frames import Answer, Event, Merged, Outgoing
from realtime.hub import Hub, Subscription
from realtime.log.contract import Position
from realtime.outbox import Outbox
from realtime.presence import Presence
from realtime.session import ClientFrame, CloseCode, Limits, Refused, Session

_log = structlog.get_logger(__name__)

_encode = msgspec.json.Encoder().encode
_RETRY_SECONDS = 1.0
_WRITTEN_BYTES = 16 * 1024
"""Of frames that are written together: what the kernel does not take at once is bounded by little more."""
_MOST_ANSWERS = 1024 * 1024
"""Bytes of answers that may wait before no more is asked: snapshots can be large."""


class Connection:
    """Run it with `run()`; it ends when the client leaves or is shown out."""

    def __init__(
        self,
        socket: Socket,
        hub: Hub,
        application: Application,
        limits: Limits,
        presence: Presence | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._socket = socket
        self._try_write = socket.try_write
        self._packed = socket.packed
        self._hub = hub
        self._presence = presence
        self._application = application
        self._limits = limits
        self._session = Session(application.decode, limits, loop.time(), packed=socket.packed)
        self._outbox = Outbox(application.merger)
        self._subscriptions: dict[str, Subscription] = {}
        self._restarts: dict[str, asyncio.Task[None]] = {}
        """Topics that the client is owed a snapshot of."""
        self._now = loop.time
        self._tasks: set[asyncio.Task[None]] = set()
        self._writer: asyncio.Task[None] | None = None
        self._closing = False
        self.until = inf  # for so long it is known who the client is, by the clock on the wall
        self._only: str | None = None
        """The one topic of a client that can ask for no other: without it, there is no more to say."""
        self._idle = True
        """Nothing waits and no writer runs: a frame may be written where it is made."""

    async def run(self) -> None:
        """Serve the client. Never raises for what a client does."""
        try:
            if await self._until_greeted():
                while not self._closing:
                    await self._serve(await self._next())
        except SocketClosed:
            pass
        finally:
            await self._end()

    async def run_following(self, user: str, topic: str, after: Position | None) -> None:
        """Serve a client that says nothing and was admitted already: it follows one topic until it leaves."""
        self._session.greet(user)
        self._only = topic
        try:
            await self._follow(topic, after, None)
            while not self._closing:
                await self._socket.receive()
        except SocketClosed:
            pass
        except (Refused, Unavailable):
            await self._close(CloseCode.INTERNAL, "unavailable")
        finally:
            await self._end()

    def deliver(self, event: Event | Merged) -> None:
        """Take an event from the hub."""
        if self._idle and self._try_write(event.packed_frame if self._packed else event.frame):
            return
        self._queue(event)

    def tell(self, answer: Answer) -> None:
        """Take a notice: to one who does not keep up nothing is owed but events and answers."""
        if self._idle:
            self._put(answer)

    def reset(self, topic: str) -> None:
        """The topic began anew: give the client a snapshot."""
        self._restart(topic)

    def recheck(self, topic: str) -> None:
        """Others may follow the topic than before: turn the client away from it if it is none of them."""
        if not self._closing:
            self._spawn(self._admit_again(topic))

    def say(self, **fields: object) -> None:
        """Send a frame that is of no log; a field that is None is left out."""
        self._put(_answer(**fields))

    def show_out(self, refusal: Refused, code: int) -> None:
        """Say why the client is served no longer, and close."""
        if not self._closing:
            self._refuse(refusal, None)
            self._spawn(self._close(code, refusal.detail))

    async def leave(self, reconnect_after: float, close_after: float = 0.0) -> None:
        """This instance stops: tell the client when to come back, and close a little later; until then it is served."""
        self.say(type="going_away", reconnect_after=reconnect_after)
        await asyncio.sleep(close_after)
        if not self._closing:
            await self._close(CloseCode.RESTARTING, "this instance restarts")

    async def _end(self) -> None:
        self._closing = True
        for topic in list(self._subscriptions):
            self._detach(topic)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ── inbound ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _next(self) -> str | bytes:
        """The client's next frame, once it has read what it asked for before."""
        while self._writer is not None and self._outbox.answer_bytes > _MOST_ANSWERS:
            await asyncio.wait({self._writer})
        return await self._socket.receive()

    async def _until_greeted(self) -> bool:
        try:
            async with asyncio.timeout(self._limits.hello_seconds):
                while not self._session.greeted and not self._closing:
                    await self._serve(await self._next())
        except TimeoutError:
            await self._close(CloseCode.NO_HELLO, "no hello in time")
            return False
        return not self._closing

    async def _serve(self, raw: str | bytes) -> None:
        frame_id: str | None = None
        try:
            frame = self._session.receive(raw, self._now())
            frame_id = frame.id
            await self._dispatch(frame)
        except Refused as refusal:
            self._refuse(refusal, frame_id or refusal.frame_id)
            if refusal.close is not None:
                await self._close(refusal.close, refusal.detail)
        except Unavailable:
            self._refuse(Refused("unavailable", "A store cannot be reached now.", retry_after=1.0), frame_id)

    async def _dispatch(self, frame: ClientFrame) -> None:
        user = self._session.user
        if user is None:
            user, welcome, self.until = await self._application.greet(frame)
            self._session.greet(user)
            self.say(type="welcome", id=frame.id, **welcome)
        elif frame.type == "ping":
            self.say(type="pong", id=frame.id)
        elif frame.type == "subscribe":
            request: Any = frame
            await self._subscribe(user, request)
        elif frame.type == "unsubscribe":
            topic: str = getattr(frame, "conversation")  # noqa: B009 - the type is the application's
            self._unsubscribe(topic)
            self.say(type="unsubscribed", id=frame.id, conversation=topic)
        elif frame.type == "typing":
            typing: Any = frame
            self._type(typing)
        else:
            answer = await self._application.handle(user, frame)
            self.say(**answer, id=frame.id)

    def _type(self, frame: TypingFrame) -> None:
        topic = frame.conversation
        follows = topic in self._subscriptions or topic in self._restarts
        if not follows:
            raise Refused("not_subscribed", "Who types in a conversation follows it.", field="conversation")
        if self._presence is not None:
            self._presence.type(topic, self, on=frame.on)
        if frame.id is not None:
            self.say(type="noted", id=frame.id)

    def _refuse(self, refusal: Refused, frame_id: str | None, topic: str | None = None) -> None:
        self.say(
            type="error",
            id=frame_id,
            conversation=topic,
            code=refusal.code,
            detail=refusal.detail,
            field=refusal.field,
            retry_after=refusal.retry_after,
        )

    # ── subscriptions ────────────────────────────────────────────────────────────────────────────────────────

    async def _subscribe(self, user: str, frame: SubscribeFrame) -> None:
        topic = frame.conversation
        await self._application.admit(user, topic)
        self._unsubscribe(topic)
        self._session.may_subscribe(len(self._subscriptions) + len(self._restarts))
        await self._follow(topic, frame.position, frame.id)

    def _unsubscribe(self, topic: str) -> None:
        restart = self._restarts.pop(topic, None)
        if restart is not None:
            restart.cancel()
        self._detach(topic)

    def _detach(self, topic: str) -> None:
        subscription = self._subscriptions.pop(topic, None)
        if subscription is not None:
            self._hub.unsubscribe(subscription)
            if self._presence is not None:
                self._presence.leave(topic, self)
        self._outbox.forget(topic)

    async def _follow(self, topic: str, after: Position | None, frame_id: str | None) -> None:
        """Errors: `Unavailable` and `Refused`; the client was told nothing then."""
        try:
            await self._begin(topic, after, frame_id)
        except Overloaded:
            # The client was told a position that cannot be continued: what it gets next replaces it.
            self._restart(topic)

    async def _begin(self, topic: str, after: Position | None, frame_id: str | None) -> None:
        subscription, reading = await self._hub.subscribe(topic, self, after)
        try:
            snapshot = None if reading.recovered else await self._application.snapshot(topic, reading)
        except BaseException:
            # Also when cancelled, as when the client leaves meanwhile: nothing may stay attached.
            self._hub.unsubscribe(subscription)
            raise
        self._subscriptions[topic] = subscription
        answer = _answer(
            type="subscribed",
            id=frame_id,
            conversation=topic,
            epoch=reading.position.epoch,
            offset=reading.position.offset,
            recovered=reading.recovered,
            snapshot=snapshot,
        )
        self._put_all([answer, *(Event(topic, entry.offset, entry.body) for entry in reading.entries)])
        subscription.go_live(reading.position)
        user = self._session.user
        if self._presence is not None and user is not None and self._application.has_company(topic):
            self._presence.arrive(topic, user, self)

    def _restart(self, topic: str) -> None:
        """Owe the client a snapshot, unless it is on its way already."""
        self._detach(topic)
        if topic not in self._restarts and not self._closing:
            self._restarts[topic] = self._spawn(self._begin_again(topic))

    async def _begin_again(self, topic: str) -> None:
        user = self._session.user
        assert user is not None
        while not await self._began(user, topic):
            self._detach(topic)
            await asyncio.sleep(_RETRY_SECONDS)
        del self._restarts[topic]

    async def _began(self, user: str, topic: str) -> bool:
        """Whether the client has its snapshot, or was told why it will not get one."""
        try:
            await self._application.admit(user, topic)
            await self._begin(topic, None, None)
        except (Unavailable, Overloaded):
            return False
        except Refused as refusal:
            if refusal.code == "unavailable":
                return False
            await self._turn_away(topic, refusal)
        return True

    async def _admit_again(self, topic: str) -> None:
        user = self._session.user
        assert user is not None
        while topic in self._subscriptions:  # one that begins again is admitted again by that
            try:
                await self._application.admit(user, topic)
            except Unavailable:
                await asyncio.sleep(_RETRY_SECONDS)
            except Refused as refusal:
                if refusal.code != "unavailable":
                    await self._turn_away(topic, refusal)
                    return
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def _turn_away(self, topic: str, refusal: Refused) -> None:
        """The client may not follow the topic any more; it did not ask, so the error names the topic."""
        self._detach(topic)
        self._refuse(refusal, None, topic)
        if topic == self._only:
            await self._close(CloseCode.NOT_ALLOWED, refusal.detail)

    # ── outbound ─────────────────────────────────────────────────────────────────────────────────────────────

    def _put(self, answer: Answer) -> None:
        if self._idle and self._try_write(answer.packed_frame if self._packed else answer.frame):
            return
        self._queue(answer)

    def _put_all(self, items: Sequence[Outgoing]) -> None:
        """Take what belongs together: many frames to a write, which costs little more than that of one."""
        frames = [one.packed_frame if self._packed else one.frame for one in items]
        taken = 0
        while taken < len(items):
            end, size = taken, 0
            while end < len(items) and size < _WRITTEN_BYTES:
                size += len(frames[end])
                end += 1
            if not (self._idle and self._try_write(b"".join(frames[taken:end]))):
                break
            taken = end
        for one in items[taken:]:
            self._queue(one)

    def _queue(self, item: Outgoing) -> None:
        self._idle = False
        self._outbox.put(item)
        self._wake()

    def _wake(self) -> None:
        if self._writer is None and not self._closing:
            self._writer = self._spawn(self._write())

    async def _write(self) -> None:
        """Write while something waits. What arrives meanwhile merges in the outbox."""
        try:
            while (item := self._outbox.take()) is not None:
                async with asyncio.timeout(self._limits.write_seconds):
                    await self._socket.send(item.packed if self._packed else item.text)
            for topic in list(self._outbox.lapsed):
                self._restart(topic)
        except TimeoutError:
            await self._close(CloseCode.TOO_SLOW, "reading too slowly")
        except SocketClosed:
            self._closing = True
        finally:
            self._writer = None
        if self._outbox:
            self._wake()
        else:
            self._idle = True

    async def _close(self, code: int, reason: str) -> None:
        self._closing = True
        self._idle = False
        try:
            async with asyncio.timeout(1.0):
                while code != CloseCode.TOO_SLOW and (item := self._outbox.take()) is not None:
                    await self._socket.send(item.packed if self._packed else item.text)
                await self._socket.close(code, reason)
        except TimeoutError:
            self._socket.abort()
        except SocketClosed:
            _log.debug("client was gone before goodbye", code=code)

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        bug = None if task.cancelled() else task.exception()
        if bug is not None:
            # A client that is deaf from here on must not believe that all is well.
            _log.error("a bug ended a connection", exc_info=bug)
            self._socket.abort()


def _answer(**fields: object) -> Answer:
    """A field that is None is left out."""
    return Answer(_encode({key: value for key, value in fields.items() if value is not None}))
