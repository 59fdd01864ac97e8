"""The JavaScript client on Node, whose server is drained, killed and started again: it ends exact, without any help."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from server.embedded.engines import EngineURLs
from server.embedded.port import free_port
from tests.support.chaos import sized
from tests.support.client import http
from tests.support.house import new_house
from tests.support.talking_model import TalkingModel, spoken

CLIENTS = sized(2, 10)
TOKENS = sized(400, 4000)
PER_SECOND = sized(60, 40)
TROUBLES = sized(["drain", "kill"], ["drain", "kill"] * 3)
SCRIPT = Path(__file__).parents[1] / "support" / "node_reader.mjs"


class NodeReader:
    """One of them; `told` is what it has said of itself, by kind."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.told: Counter[str] = Counter()

    @classmethod
    async def start(cls, *arguments: str) -> "NodeReader":
        """Follow a conversation."""
        pipe = asyncio.subprocess.PIPE
        argv = ("node", str(SCRIPT), *arguments)
        return cls(await asyncio.create_subprocess_exec(*argv, stdout=pipe, limit=2**20))

    async def until(self, kind: str) -> dict[str, Any]:
        """Read until it says this."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said: dict[str, Any] = json.loads(line)
            self.told[said["kind"]] += 1
            if said["kind"] == kind:
                return said
        raise AssertionError(f"it ended without {kind}: {self.told}")

    async def close(self) -> None:
        """End it, if it has not."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()


@pytest.mark.timeout(sized(90, 240))
async def test_it_resumes_by_itself(
    engines: EngineURLs, model: TalkingModel, tmp_path: Path, chance: Random
) -> None:
    """One sends, all read; each ends with the stored text, by resuming: no gap, and no text that does not match."""
    house = new_house(tmp_path, engines, model, CHAT_PORT=str(free_port()), CHAT_DRAIN_SECONDS="0.5")
    readers: list[NodeReader] = []
    try:
        async with house.worker():
            async with house.web() as web:
                async with http(web.url) as ada:
                    conversation = await ada.conversation()
                asked = f"say {TOKENS} tokens at {PER_SECOND}/s"
                for number in range(CLIENTS):
                    saying = asked if number == 0 else ""
                    readers.append(await NodeReader.start(web.url, ada.token, conversation, saying))
                await asyncio.gather(*(reader.until("begun") for reader in readers))
                web.terminate()
                assert await web.ended() == 0
            for trouble in TROUBLES[1:]:
                async with house.web() as web:
                    await asyncio.gather(*(reader.until("open") for reader in readers))
                    await asyncio.sleep(chance.uniform(0, 1))  # somewhere in the text
                    web.terminate() if trouble == "drain" else web.kill()
                    await web.ended()
            async with house.web() as web:
                ends = await asyncio.gather(*(reader.until("ended") for reader in readers))
                async with http(web.url, ada.token) as later:
                    stored = (await later.messages(conversation))[-1]["text"]
    finally:
        for reader in readers:
            await reader.close()
    told = sum((reader.told for reader in readers), Counter[str]())
    print(f"{CLIENTS} clients: {dict(told)}")
    assert stored == spoken(TOKENS)
    assert {end["text"] for end in ends} == {stored}
    assert (told["gap"], told["mismatch"], told["snapshot"]) == (0, 0, CLIENTS)
