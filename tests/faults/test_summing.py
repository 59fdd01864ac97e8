"""Whatever becomes of a summary, or of the worker that makes it, replies are made as if there were none."""

from pathlib import Path

import pytest

from server.embedded.engines import EngineURLs
from tests.support.client import chat, http
from tests.support.notes import (
    SMALL,
    SUMMED_UP,
    asked,
    filler,
    instructions,
    notes,
    noting_house,
    say,
    say_until_left_out,
    summaries,
    until_noted,
)
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.talking_model import TalkingModel
from tests.support.waiting import wait_until
from tests.support.wires import OpenAIWire


@pytest.mark.timeout(240)
async def test_no_summary_harms_a_reply(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> None:
    """Refused, then killed in the midst of it: the replies go on without, and a later one has it made after all."""
    wire = OpenAIWire()
    async with ScriptedServer() as notetaker:
        refusal = Answer([wire.refusal("refused", "No.")], 503, {"content-type": "application/json"})
        silence = Answer([wire.opening(), wire.text("Half a"), "stall"])
        notetaker.script(refusal, silence, notes("Owls fly."))
        house = noting_house(tmp_path, engines, model, notetaker, CHAT_RETRIES="0", CHAT_LEASE_SECONDS="1")
        async with house.web() as web, http(web.url) as ada, chat(web.url, ada.token) as device:
            conversation = await ada.conversation(settings=SMALL)
            await device.subscribe(conversation)
            async with house.worker() as worker:
                await say_until_left_out(device, conversation, "owl")
                await worker.until_says("not summed up")
                await say(device, conversation, filler("again"))

                async def at_it() -> bool:
                    return len(asked(notetaker)) == 2

                await wait_until(at_it)
                assert "summarized" not in await say(device, conversation, filler("meanwhile"))
                worker.kill()
            assert await summaries(house) == []
            async with house.worker():
                said = 0
                while not await summaries(house):  # until the dead one's lease has run out
                    await say(device, conversation, f"say 9 tokens at 4/s, {said}")
                    said += 1
                await until_noted(house, "Owls fly.")
                assert (await say(device, conversation, filler("at last")))["summarized"]
                assert instructions(model, filler("at last")) == f"{SUMMED_UP}Owls fly."
        assert house.bugs == []
