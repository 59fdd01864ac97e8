"""What clients are told of a conversation itself: whoever is slow does not have the last word with what he has seen."""

from collections.abc import Sequence
from typing import Any

from realtime.log.contract import Record
from server.commands.deciding import decide
from server.commands.telling import Telling
from server.domain import conversation as decisions
from server.domain.conversation import Conversation, ConversationChange
from server.domain.events import Event
from tests.support.reading import ADA, library, now


class Slow:
    """Tells the first thing only after somebody else has told another."""

    def __init__(self) -> None:
        self.told: list[bytes] = []
        self.before: Any = None

    async def publish(self, conversation: str, records: list[Record]) -> bool:
        """As the announcer."""
        if (before := self.before) is not None:
            self.before = None
            await before()
        self.told += [record.body for record in records]
        return True


async def test_the_last_title_is_told_last(mongodb_url: str) -> None:
    """It is given between another's look at the conversation and his telling of it."""
    async with library(mongodb_url) as house:
        talk, announcer = await house.begin(title="Stars"), Slow()
        telling = Telling(house.reads, announcer, announcer)  # pyright: ignore[reportArgumentType]: the one method that is asked of it

        async def rename(title: str) -> None:
            async def decision(state: Conversation) -> Sequence[Event]:
                return decisions.change(state, ADA, ConversationChange(title=title), now())

            await telling(await decide(house.store, house.reads, talk, ADA, decision))

        announcer.before = lambda: rename("Suns")
        await rename("Moons")
        assert [title for body in announcer.told for title in (b"Suns", b"Moons") if title in body] == [
            b"Suns",
            b"Moons",
            b"Suns",
        ]
