"""What an operator sees of the cache: from which level answers came, where it is served and where it is worked."""

import re
from pathlib import Path

from server.embedded.engines import EngineURLs
from tests.support.client import chat, http
from tests.support.house import new_house
from tests.support.talking_model import TalkingModel
from tests.support.waiting import wait_until

_LINE = re.compile(r'^tertulia_cache_reads_total\{kind="(\w+)",level="(\w+)"\} ([\d.]+)$', re.MULTILINE)


def reads(metrics: str) -> dict[tuple[str, str], float]:
    """By kind and level."""
    return {(kind, level): float(count) for kind, level, count in _LINE.findall(metrics)}


async def test_hit_rates_are_told(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> None:
    """The first reply reads the store, the next ones what was kept; a web process asks for the character's settings."""
    house = new_house(tmp_path, engines, model, CHAT_WORKER_METRICS_PORT="0")
    async with house.pair() as (web, worker), http(web.url) as ada:
        character = await ada.post("/v1/characters", {"name": "Owl", "system_prompt": "You are an owl."}, 201)
        conversation = await ada.conversation(character=character["id"])
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            for number in range(3):
                sent = await device.send(conversation, f"say 2 tokens, {number} {conversation}")
                await device.until_end(sent["reply"])
        elsewhere = worker.events("measuring")[0]["url"]
        theirs = reads((await ada.client.get(elsewhere)).text)
        assert (theirs["window", "database"], theirs["window", "memory"]) == (1, 2)
        # A process that does not hear yet keeps no character by itself, and finds it in Redis.
        assert sum(count for (kind, _), count in theirs.items() if kind == "character") == 3
        assert theirs.get(("character", "database"), 0) <= 1
        mine = reads((await ada.client.get("/metrics")).text)
        assert sum(count for (kind, _), count in mine.items() if kind == "character") >= 3
        for address in ("/metrics", elsewhere):

            async def hears(address: str = address) -> bool:
                metrics = (await ada.client.get(address)).text
                kept = re.search(r"^tertulia_cache_entries \d", metrics, re.MULTILINE)
                return "tertulia_cache_hears 1.0" in metrics and kept is not None

            await wait_until(hears)
