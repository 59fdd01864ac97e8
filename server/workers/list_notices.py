"""Tells people that their list of conversations has changed: on a topic of their own, live on all their devices."""

from collections.abc import Mapping, Sequence

import structlog

from realtime.errors import Unavailable as EngineAway
from realtime.log.contract import Log, Record
from server.domain import wire
from server.domain.errors import Unavailable
from server.domain.listed import Listed, topic_of
from server.storage.lists import Lists

_log = structlog.get_logger(__name__)


class ListNotices:
    """`server.projections.conversation_list.Listeners`. A notice that is lost is made up for by the next snapshot."""

    def __init__(self, log: Log, lists: Lists) -> None:
        self._log = log
        self._lists = lists

    async def changed(self, people: Mapping[str, Sequence[str]], before: Mapping[str, Sequence[str]]) -> None:
        """See the port."""
        pairs = [(user, name) for name, users in people.items() for user in users]
        records: dict[str, list[Record]] = {}
        try:
            items = await self._lists.many(pairs)
            for (user, name), item in zip(pairs, items, strict=True):
                records.setdefault(topic_of(user), []).append(Record(notice(user, name, item)))
            for name, users in before.items():
                for user in set(users) - set(people[name]):
                    records.setdefault(topic_of(user), []).append(Record(notice(user, name, None)))
            if records:
                await self._log.append_many(list(records.items()))
        except (EngineAway, Unavailable) as error:
            _log.warning("lists have changed, and nobody was told", people=len(records), error=str(error))


def notice(user: str, conversation: str, item: Listed | None) -> bytes:
    """A line of a list as it is now; without one, that there is none any more."""
    topic = topic_of(user)
    if item is None:
        return wire.ListRemoved(conversation=topic, item=conversation).body()
    return wire.ListChanged(conversation=topic, item=item.model_dump(mode="json")).body()
