"""Who changes things over HTTP faster than the operator allows is told to wait, and nothing of it is stored."""

import asyncio
from pathlib import Path

from tests.support.client import chat, http
from tests.support.house import House
from tests.support.in_process import serving, settings_of


async def test_a_flood_over_http_is_told_to_wait(house: House, tmp_path: Path) -> None:
    """After four seconds' worth; who waits as long as told goes on. Reading, a socket and others are not counted."""
    settings = settings_of(house, tmp_path, CHAT_WRITES_PER_SECOND=2)
    async with serving(settings) as url, http(url) as ada, http(url) as grace:
        conversation = await ada.conversation()
        path = f"/v1/conversations/{conversation}/messages"
        said = {"text": "Hola", "reply": False}
        answers = [await ada.client.post(path, json=said) for _ in range(12)]
        refused = [answer for answer in answers if answer.status_code != 202]
        assert len(answers) - len(refused) == len(await ada.messages(conversation)) >= 7
        assert refused
        for answer in refused:
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (429, "rate_limited")
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"] == "1"
            assert 0 < problem["retry_after"] <= 1
        assert (await ada.client.patch(f"/v1/conversations/{conversation}", json={})).status_code == 429
        await grace.conversation()
        async with chat(url, ada.token) as device:
            await device.send(conversation, "By the socket", reply=False)
        await asyncio.sleep(1)
        await ada.post(path, said, status=202)
