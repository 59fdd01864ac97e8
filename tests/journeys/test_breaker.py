"""A provider that fails again and again, as users and operators see it."""

from pathlib import Path
from typing import Any

from server.embedded.engines import EngineURLs
from tests.support.client import Chat, Http, chat, http
from tests.support.house import new_house
from tests.support.talking_model import MODEL, OTHER_MODEL, TalkingModel, spoken
from tests.support.waiting import wait_until

UNASKED = "say 3 tokens to nobody"


async def test_a_provider_that_rests_is_shown(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """Its state is in the list of models, in the metrics and in the log; other models are asked as ever."""
    house = new_house(
        tmp_path, engines, model, CHAT_BREAKER_FAILURES="2", CHAT_BREAKER_REST_SECONDS="600", CHAT_RETRIES="0"
    )
    async with house.pair() as (web, worker), http(web.url) as ada:
        assert await _state(ada, MODEL) == "closed"
        conversation = await ada.conversation()
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            said = ("refuse with 500",) * 2 + (UNASKED,)
            ends = [await _end(device, conversation, text) for text in said]
            assert [end["code"] for end in ends] == ["provider_overloaded"] * 2 + ["provider_resting"]
            other = await _end(device, conversation, "say 4 tokens", model=OTHER_MODEL)
            assert (other["type"], other["length"]) == ("reply.completed", len(spoken(4)))

        async def shown() -> bool:
            return await _state(ada, MODEL) == "open"

        await wait_until(shown)
        assert await _state(ada, OTHER_MODEL) == "closed"
        metrics = (await ada.client.get("/metrics")).text.splitlines()
        [line] = [line for line in metrics if line.startswith("tertulia_breaker{") and f'"{MODEL}"' in line]
        assert line.endswith(" 2.0")
        [rests] = worker.events("provider rests")
        assert rests["breaker"] == f"openai/{MODEL}"
    assert model.requests_for(UNASKED) == []


async def _end(device: Chat, conversation: str, text: str, **settings: str) -> dict[str, Any]:
    sent = await device.send(conversation, text, **({"reply": settings} if settings else {}))
    return await device.until_end(sent["reply"])


async def _state(ada: Http, model: str) -> str:
    [state] = [one["state"] for one in (await ada.get("/v1/models"))["items"] if one["model"] == model]
    return state
