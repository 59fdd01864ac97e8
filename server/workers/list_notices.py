"""Tells people that their list of conversations has changed: on a topic of their own, live on all their devices."""

from collections.abc import Iterator, Sequence

import structlog

from realtime.errors import Unavailable as EngineAway
from realtime.log.contract import Log, Record
from server.domain import wire
from server.domain.listed import topic_of
from server.storage.list_rows import Seen
from server.storage.lists import listed, own_part

_log = structlog.get_logger(__name__)


class ListNotices:
    """`server.projections.conversation_list.Listeners`. A notice that is lost is made up for by the next snapshot."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def changed(self, seen: Sequence[Seen]) -> None:
        """See the port."""
        records: dict[str, list[Record]] = {}
        for one in seen:
            for event in _notices(one):
                records.setdefault(event.conversation, []).append(Record(event.body()))
        try:
            if records:
                await self._log.append_many(list(records.items()))
        except EngineAway as error:
            _log.warning("lists have changed, and nobody was told", people=len(records), error=str(error))


def _notices(seen: Seen) -> Iterator[wire.Event]:
    """To each person: the line of this conversation as it is now, or that there is none any more."""
    if seen.people:
        about = (seen.conversation, seen.row, seen.places)
        # Of a crowd in one conversation, all see the same but for what is each one's own.
        line = listed(seen.people[0], *about).model_dump(mode="json")
        for user in seen.people:
            yield wire.ListChanged(conversation=topic_of(user), item=line | own_part(user, *about))
    for user in set(seen.before) - set(seen.people):
        yield wire.ListRemoved(conversation=topic_of(user), item=seen.conversation["_id"])
