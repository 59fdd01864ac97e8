"""Chapter 12. What is stored.

A conversation is stored as what happened in it: facts in the past tense, numbered 1, 2, 3 … Messages and replies, as
HTTP shows them, follow from these. (They are not the events that clients see: a delta is gone once its reply has
ended. A fact is for ever.) `python -m server events` prints them.
"""

import asyncio
import json

from tests.support.client import Http, chat
from tests.support.house import House
from tests.support.talking_model import MODEL, spoken


async def test_what_is_stored(house: House, ada: Http) -> None:
    """Seven facts, in order, complete enough to rebuild all the rest."""
    conversation = await ada.conversation(title="Of engines")
    async with chat(house.here, ada.token) as device:
        await device.subscribe(conversation)
        sent = await device.send(conversation, "say 10 tokens")
        await device.until_end(sent["reply"])

    printed = await asyncio.to_thread(house.run, "events", conversation)
    assert printed.returncode == 0, printed.stderr
    facts = [json.loads(line) for line in printed.stdout.splitlines()]
    assert [fact["version"] for fact in facts] == [1, 2, 3, 4, 5, 6, 7]
    assert [fact["type"] for fact in facts] == [
        "conversation.created",
        "message.created",
        "reply.requested",
        "reply.started",
        "reply.generated",
        "reply.completed",
        "usage.recorded",
    ]
    created, message, requested, started, generated, completed, recorded = facts
    assert (created["owner"], created["title"]) == (ada.user, "Of engines")
    assert message["text"] == "say 10 tokens"
    assert (requested["message"], requested["reply"]) == (sent["message"], sent["reply"])
    assert (started["provider"], started["model"], started["attempt"]) == ("openai", MODEL, 1)
    assert completed["text"] == spoken(10)
    assert generated["sha256"] == completed["sha256"]
    assert (recorded["user"], recorded["usage"]) == (ada.user, completed["usage"])
    assert message["meta"]["actor"] == ada.user
    assert completed["meta"]["actor"] == started["worker"]
