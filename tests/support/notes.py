"""A house whose summaries are made by a model of its own, and what that was asked."""

import json
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from server.embedded.engines import EngineURLs
from tests.support.client import Chat, Http
from tests.support.house import House, new_house
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.talking_model import TalkingModel
from tests.support.waiting import wait_until
from tests.support.wires import OpenAIWire, answer

SMALL = {"context_window": 256, "max_tokens": 64}
"""Settings of a conversation whose messages soon fall out: about eight of `filler` fit."""

SUMMED_UP = "What was said before this, summed up:\n"


def filler(word: str) -> str:
    """Something to say that takes about twenty tokens."""
    return f"{word}: " + "so the owls flew on and on, " * 2


def notes(text: str) -> Answer:
    """The model writes down this."""
    return Answer(answer(OpenAIWire(), [text]))


def noting_house(
    folder: Path, engines: EngineURLs, model: TalkingModel, notetaker: ScriptedServer, **more: str
) -> House:
    """Build it; nothing runs in it yet."""
    return new_house(
        folder,
        engines,
        model,
        LMSTUDIO_BASE_URL=f"{notetaker.url}/v1",
        CHAT_SUMMARY_PROVIDER="lmstudio",
        CHAT_SUMMARY_MODEL="notes-1",
        CHAT_PROVIDER="openai",
        **more,
    )


async def say(device: Chat, conversation: str, text: str) -> dict[str, Any]:
    """Say something, and give what was told when the model was asked: `left_out`, `summarized`."""
    reply = (await device.send(conversation, text))["reply"]
    end = await device.until_end(reply)
    assert end["type"] == "reply.completed", end
    told = [e for e in device.heard if e["type"] == "reply.progress" and e["reply"] == reply]
    return next(event for event in told if event["stage"] == "waiting")


async def say_until_left_out(device: Chat, conversation: str, word: str) -> list[str]:
    """Say this and that until something has fallen out; all that was said."""
    said: list[str] = []
    while True:
        said.append(filler(f"{word} {len(said)}"))
        if (await say(device, conversation, said[-1])).get("left_out"):
            return said
        assert len(said) < 40


def instructions(model: TalkingModel, text: str) -> str:
    """What stood before the messages when this was the question."""
    messages = model.requests_for(text)[-1]["messages"]
    return messages[0]["content"] if messages[0]["role"] == "system" else ""


def asked(notetaker: ScriptedServer) -> list[str]:
    """What was to be summed up, each time."""
    return [json.loads(request.body)["messages"][1]["content"] for request in notetaker.requests]


async def summaries(house: House) -> list[dict[str, Any]]:
    """What is stored, the newest first."""
    async with AsyncMongoClient[dict[str, Any]](house.mongodb_url) as client:
        found = client[house.environment["CHAT_MONGODB_DATABASE"]]["summaries"].find().sort("at", -1)
        return await found.to_list()


async def until_noted(house: House, text: str) -> None:
    """Wait until the newest summary says this."""

    async def noted() -> bool:
        return any(text in one["text"] for one in (await summaries(house))[:1])

    await wait_until(noted, within=30)


async def takes_back(ada: Http, message: str) -> None:
    """Retract a message."""
    await ada.ask("DELETE", f"/v1/messages/{message}", status=204)
