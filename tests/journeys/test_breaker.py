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

        await _until_shown(ada, "open")
        assert await _state(ada, OTHER_MODEL) == "closed"
        [rests] = worker.events("provider rests")
        assert rests["breaker"] == f"openai/{MODEL}"
    assert model.requests_for(UNASKED) == []


async def test_streams_that_break_late_are_failures(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """Answers that break after 500 tokens open the breaker, whatever way they break; those that users stop do not."""
    house = new_house(
        tmp_path,
        engines,
        model,
        CHAT_BREAKER_FAILURES="3",
        CHAT_BREAKER_REST_SECONDS="600",
        CHAT_BETWEEN_TOKENS_SECONDS="3",
    )
    breaks = {"break off": "truncated", "end early": "truncated", "fall silent": "timeout_between_tokens"}
    async with house.pair() as (web, worker), http(web.url) as ada:
        conversation = await ada.conversation()
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            for number in range(4):
                stopped = (await device.send(conversation, f"say 50{number} tokens at 50/s"))["reply"]
                await device.until_text(stopped)
                await device.ask("cancel", reply=stopped)
                assert (await device.until_end(stopped))["type"] == "reply.cancelled"
            assert worker.events("provider rests") == []
            for way, why in breaks.items():
                assert await _state(ada, MODEL) == "closed"
                end = await _end(device, conversation, f"say 500 tokens, then {way}")
                assert (end["code"], end["length"]) == (f"provider_{why}", len(spoken(500)))
            unasked = f"{UNASKED}, who has heard 500"
            end = await _end(device, conversation, unasked)
            assert (end["type"], end["code"]) == ("reply.failed", "provider_resting")
            instead = {"fallbacks": [{"provider": "openai", "model": OTHER_MODEL}]}
            end = await _end(device, conversation, unasked, **instead)
            assert end["type"] == "reply.completed"
            out = [frame["instead_of"] for frame in device.heard if frame.get("instead_of")]
            assert [(one["model"], one["reason"]) for one in out] == [(MODEL, "provider_resting")]
        await _until_shown(ada, "open")
        [rests] = worker.events("provider rests")
        assert (rests["breaker"], rests["code"]) == (f"openai/{MODEL}", "provider_timeout_between_tokens")
    assert [asked["model"] for asked in model.requests_for(unasked)] == [OTHER_MODEL]
    assert house.bugs == []


async def _until_shown(ada: Http, state: str) -> None:
    """Wait until the list of models and the metrics both show how the model stands."""
    number = {"closed": 0.0, "half_open": 1.0, "open": 2.0}[state]

    async def shown() -> bool:
        if await _state(ada, MODEL) != state:
            return False
        metrics = (await ada.client.get("/metrics")).text.splitlines()
        [line] = [line for line in metrics if line.startswith("tertulia_breaker{") and f'"{MODEL}"' in line]
        return line.endswith(f" {number}")

    await wait_until(shown)


async def _end(device: Chat, conversation: str, text: str, **settings: Any) -> dict[str, Any]:
    sent = await device.send(conversation, text, **({"reply": settings} if settings else {}))
    return await device.until_end(sent["reply"])


async def _state(ada: Http, model: str) -> str:
    [state] = [one["state"] for one in (await ada.get("/v1/models"))["items"] if one["model"] == model]
    return state
