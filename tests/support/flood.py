"""Many sends by many users, whatever breaks meanwhile: each is repeated under its key until it is accepted."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.support.client import Http, http
from tests.support.waiting import wait_until

ENDS = {"completed", "failed", "cancelled"}
_USERS = 10
_OF_ONE_CONVERSATION = 3
_PAUSE_SECONDS = 0.2


@dataclass
class Flood:
    """What was accepted, and how often something else was answered."""

    urls: Sequence[str]
    replies: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By reply: who asked (a token), and the conversation."""
    refused: list[dict[str, Any]] = field(default_factory=list)
    lost: int = 0
    """Requests that were never answered."""

    async def send(self, sends: int, text: str) -> None:
        """So many, shared among users who each send one after the other; returns when all are accepted."""
        async with AsyncExitStack() as stack:
            opened = (stack.enter_async_context(http(self.urls[n % len(self.urls)])) for n in range(_USERS))
            users = await asyncio.gather(*opened)
            shares = [len(range(n, sends, _USERS)) for n in range(_USERS)]
            await asyncio.gather(
                *(self._chat(user, share, text) for user, share in zip(users, shares, strict=True))
            )

    async def until_ended(self, text: str) -> None:
        """Wait until each reply has ended: completed, and with this text."""
        async with AsyncExitStack() as stack:
            users: dict[str, Http] = {}
            for reply, (token, conversation) in self.replies.items():
                if token not in users:
                    users[token] = await stack.enter_async_context(http(self.urls[0], token))
                message = await _ended(users[token], conversation, reply)
                assert (message["status"], message["text"]) == ("completed", text), message

    async def _chat(self, user: Http, share: int, text: str) -> None:
        conversation = ""
        for number in range(share):
            if number % _OF_ONE_CONVERSATION == 0:
                conversation = ""
            while not conversation:
                conversation = await self._until(user, "/v1/conversations", {}, 201, "id") or ""
            said = {"text": text, "key": f"k{number}"}
            path = f"/v1/conversations/{conversation}/messages"
            reply = None
            while reply is None:
                reply = await self._until(user, path, said, 202, "reply")
            self.replies[reply] = (user.token, conversation)

    async def _until(
        self, user: Http, path: str, body: dict[str, Any], status: int, wanted: str
    ) -> str | None:
        try:
            response = await user.client.post(path, json=body)
        except httpx2.TransportError:
            self.lost += 1
            await asyncio.sleep(_PAUSE_SECONDS)
            return None
        if response.status_code == status:
            return response.json()[wanted]
        problem = response.json()
        self.refused.append(problem)
        assert problem["code"] in {"unavailable", "overloaded"}, problem
        assert problem["retry_after"] > 0
        await asyncio.sleep(_PAUSE_SECONDS)
        return None


async def _ended(user: Http, conversation: str, reply: str) -> dict[str, Any]:
    stored: dict[str, Any] = {}

    async def has_ended() -> bool:
        if (await _read(user, f"/v1/replies/{reply}")).get("status") not in ENDS:
            return False
        listed = await _read(user, f"/v1/conversations/{conversation}/messages?limit=200")
        stored.update({message["id"]: message for message in listed.get("items", [])})
        return reply in stored

    await wait_until(has_ended, within=120)
    return stored[reply]


async def _read(user: Http, path: str) -> dict[str, Any]:
    """What is there; nothing where it cannot be read now: a connection that was kept may be closed as it is used."""
    try:
        response = await user.client.get(path)
    except httpx2.TransportError:
        return {}
    return response.json() if response.status_code == 200 else {}
