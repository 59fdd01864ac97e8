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
        elsewhere = worker.events("measuring")[0]["url"]
        theirs = dict[tuple[str, str], float]()
        asked = 0
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)

            async def found_it_kept() -> bool:
                """Redis is left alone for a second when it is slow, and a process that does not hear keeps nothing."""
                nonlocal asked, theirs
                asked += 1
                sent = await device.send(conversation, f"say 2 tokens, {asked} {conversation}")
                await device.until_end(sent["reply"])
                theirs = reads((await ada.client.get(elsewhere)).text)
                return ("character", "redis") in theirs or ("character", "memory") in theirs

            await wait_until(found_it_kept)
            await wait_until(found_it_kept)
        assert theirs["window", "memory"] >= 1
        assert sum(count for (kind, _), count in theirs.items() if kind == "window") == asked
        assert sum(count for (kind, _), count in theirs.items() if kind == "character") == asked
        mine = reads((await ada.client.get("/metrics")).text)
        assert sum(count for (kind, _), count in mine.items() if kind == "character") >= asked
        for address in ("/metrics", elsewhere):

            async def hears(address: str = address) -> bool:
                metrics = (await ada.client.get(address)).text
                kept = re.search(r"^tertulia_cache_entries \d", metrics, re.MULTILINE)
                return "tertulia_cache_hears 1.0" in metrics and kept is not None

            await wait_until(hears)
