"""LM Studio's mode, answered by the server of its own engine: `LMSTUDIO_BASE_URL` and nothing else."""

from pathlib import Path

import httpx2

from server.embedded.engines import EngineURLs
from server.embedded.model import ALIAS
from tests.support.client import chat, http, sha256
from tests.support.house import new_house
from tests.support.talking_model import TalkingModel, spoken
from tests.support.waiting import wait_until


async def test_a_local_model_is_found_asked_stopped_and_fallen_back_to(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel, model_url: str
) -> None:
    """Nobody names its model; it answers, is freed by a stop, and goes on with what another one had begun."""
    house = new_house(tmp_path, engines, model, LMSTUDIO_BASE_URL=model_url)
    async with house.pair() as (web, _), http(web.url) as ada:
        items = (await ada.get("/v1/models"))["items"]
        assert [(one["model"], one["reachable"]) for one in items if one["provider"] == "lmstudio"] == [
            (ALIAS, True)
        ]
        conversation = await ada.conversation(settings={"provider": "lmstudio", "max_tokens": 16})
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            reply = (await device.send(conversation, "Say hello."))["reply"]
            end = await device.until_end(reply)
            assert (end["type"], end["usage"]["exact"], end["cost"]) == ("reply.completed", True, None)
            assert end["sha256"] == sha256(device.reader.texts[reply])
            [started] = [frame for frame in device.heard if frame["type"] == "reply.started"]
            assert (started["provider"], started["model"]) == ("lmstudio", ALIAS)

            long = {"max_tokens": 2000}
            reply = (await device.send(conversation, "Tell me a long story.", reply=long))["reply"]
            await device.until_text(reply)
            await device.ask("cancel", reply=reply)
            assert (await device.until_end(reply))["type"] == "reply.cancelled"
            await wait_until(lambda: _idle(model_url))

            said = {"provider": "openai", "fallbacks": [{"provider": "lmstudio"}]}
            text = "say 5 tokens, then break off"
            reply = (await device.send(conversation, text, reply=said))["reply"]
            end = await device.until_end(reply)
        assert end["type"] == "reply.completed"
        spans = [(span["provider"], span["model"], span["start"]) for span in end["provenance"]]
        assert spans == [("openai", "talker-1", 0), ("lmstudio", ALIAS, len(spoken(5)))]
        stored = await ada.message(conversation, reply)
        assert stored["text"].startswith(spoken(5))
        assert sha256(stored["text"]) == end["sha256"]
    assert house.bugs == []


async def _idle(model_url: str) -> bool:
    """Whether the engine itself says that it works for nobody."""
    async with httpx2.AsyncClient(base_url=model_url.removesuffix("/v1"), trust_env=False) as client:
        return "llamacpp:requests_processing 0" in (await client.get("/metrics")).text.splitlines()
