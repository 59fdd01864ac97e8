"""A house with much in it: so many messages, loaded as documents, for those who measure how it is read."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from server.domain.settings import ReplySettings
from server.search.contract import SearchDocument
from server.search.mongodb import MongoSearch
from server.storage.apply import stored
from server.storage.database import Client
from server.storage.documents import ConversationDocument, MessageDocument
from server.storage.list_rows import ROWS, rows_of

READER = "usr_reader"
"""Has a tenth of all messages; the others share the rest."""

_OTHERS = 99
_CONVERSATIONS = 20
_BATCH = 2000
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_LETTERS = "aeioulnrstdm"


class Library:
    """Made of the same chance every time."""

    def __init__(self, messages: int) -> None:
        self._chance = random.Random(7)
        self._words = [
            "".join(self._chance.choices(_LETTERS, k=self._chance.randint(4, 9))) for _ in range(5000)
        ]
        self._weights = [1 / (place + 1) for place in range(len(self._words))]
        self.messages = messages
        self.conversations: dict[str, list[str]] = {}

    def words(self, count: int) -> list[str]:
        """Some words: a few are frequent and most are rare, as in every language."""
        return self._chance.choices(self._words, self._weights, k=count)

    def rare(self) -> str:
        """A word that few messages have."""
        return self._chance.choice(self._words[1000:])

    async def load(self, client: Client, database: str) -> None:
        """Write all of it, with its indexes."""
        engine = MongoSearch(client[database])
        await engine.prepare("live")
        users = [READER, *(f"usr_{number}" for number in range(_OTHERS))]
        for place, user in enumerate(users):
            share = self.messages // 10 if user == READER else self.messages * 9 // 10 // _OTHERS
            self.conversations[user] = [f"cnv_{place:016x}{number:016x}" for number in range(_CONVERSATIONS)]
            for conversation in self.conversations[user]:
                await self._conversation(
                    client, database, engine, user, conversation, share // _CONVERSATIONS
                )

    async def _conversation(
        self, client: Client, database: str, engine: MongoSearch, user: str, conversation: str, count: int
    ) -> None:
        found = list(self._messages(user, conversation, count))
        document = ConversationDocument(
            id=conversation,
            owner=user,
            members=[],
            title=" ".join(self.words(3)),
            character=None,
            settings=ReplySettings(),
            created_at=_BEGAN,
            updated_at=found[-1].created_at,
            last_seq=count,
            head=found[-1].id,
            version=count,
        )
        await ConversationDocument.collection().insert_one(stored(document))
        for start in range(0, count, _BATCH):
            batch = found[start : start + _BATCH]
            await MessageDocument.collection().insert_many([stored(one) for one in batch], ordered=False)
            await engine.put([_searched(one, user) for one in batch])
        await client[database][ROWS].insert_one((await rows_of([conversation]))[conversation])

    def _messages(self, user: str, conversation: str, count: int) -> Iterator[MessageDocument]:
        parent: str | None = None
        for seq in range(1, count + 1):
            said: dict[str, Any] = (
                {"role": "user", "user": user} if seq % 2 else {"role": "assistant", "user": None}
            )
            moment = _BEGAN + timedelta(minutes=self._chance.randint(0, 400_000))
            one = MessageDocument(
                id=f"msg_{conversation[4:20]}{int(conversation[20:], 16):06x}{seq:010x}",
                conversation=conversation,
                seq=seq,
                text=" ".join(self.words(20)),
                status="completed",
                created_at=moment,
                parent=parent,
                **said,
            )
            parent = one.id
            yield one


def _searched(message: MessageDocument, user: str) -> SearchDocument:
    return SearchDocument(
        id=message.id,
        conversation=message.conversation,
        seq=message.seq,
        readers=(user,),
        user=message.user,
        role=message.role,
        text=message.text,
        at=message.created_at,
        language="es" if message.seq % 3 == 0 else "en",
    )
