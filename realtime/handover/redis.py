"""Handing over where one Redis has both the log and the queue: in one round trip."""

from collections.abc import Sequence

from redis.exceptions import NoScriptError

from realtime.handover.contract import Given, OneByOne
from realtime.log.contract import Position, Record
from realtime.log.redis import RedisLog
from realtime.queue.redis import RedisQueue
from realtime.redis import Client, each, translated, translated_errors


class RedisHandover:
    """`realtime.handover.contract.Handover`. `log` and `queue` are on the client's server; it is no cluster."""

    def __init__(self, client: Client, log: RedisLog, queue: RedisQueue) -> None:
        self._client = client
        self._log = log
        self._queue = queue
        self._one_by_one = OneByOne(log, queue)

    async def __call__(
        self, topic: str, records: Sequence[Record], job: Given
    ) -> tuple[list[Position | Exception], bool]:
        """See the port. The server does one after the other, in the order in which they are sent."""
        commands = [
            self._log.appending(topic, records),
            self._queue.giving(job.lane, job.job, job.user, job.payload),
        ]
        async with translated_errors():
            told, given = await each(self._client, commands)
        if isinstance(told, NoScriptError):
            # A server that has just begun knows neither; giving a job twice changes nothing.
            return await self._one_by_one(topic, records, job)
        if isinstance(told, BaseException):
            raise translated(told)
        if isinstance(given, NoScriptError):
            await self._queue.enqueue(job.lane, job.job, job.user, job.payload)
        elif isinstance(given, BaseException):
            return self._log.appended(told), False
        return self._log.appended(told), True
