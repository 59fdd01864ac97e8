"""What fell out of the window is summed up, and the model has it from the next reply on."""

from pathlib import Path

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
    takes_back,
    until_noted,
)
from tests.support.scripted_server import ScriptedServer
from tests.support.talking_model import TalkingModel

MINERVA = "Her owl is called Minerva."


async def test_what_fell_out_is_summed_up(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> None:
    """Before the messages, after the character; carried on from what it was; not on another branch, and told."""
    async with ScriptedServer() as notetaker:
        notetaker.script(notes(MINERVA), notes(f"{MINERVA} She likes rain."))
        house = noting_house(tmp_path, engines, model, notetaker)
        async with house.pair() as (web, _), http(web.url) as ada, chat(web.url, ada.token) as device:
            character = await ada.post("/v1/characters", {"name": "B", "system_prompt": "Be kind."}, 201)
            conversation = await ada.conversation(settings=SMALL, character=character["id"])
            await device.subscribe(conversation)
            said = await say_until_left_out(device, conversation, "Minerva")
            assert instructions(model, said[-1]) == "Be kind."
            await until_noted(house, MINERVA)
            assert said[0].strip() in asked(notetaker)[0]
            assert said[-1] not in asked(notetaker)[0]

            told = await say(device, conversation, filler("then"))
            assert instructions(model, filler("then")) == f"Be kind.\n\n{SUMMED_UP}{MINERVA}"
            assert told["summarized"] == told["left_out"] > 0
            assert (
                told["detail"]
                == f"{told['left_out']} older messages left out, {told['left_out']} of them summed up"
            )

            for number in range(6):
                await say(device, conversation, filler(f"more {number}"))
            await until_noted(house, "She likes rain.")
            assert MINERVA in asked(notetaker)[1]
            assert said[0].strip() not in asked(notetaker)[1]

            first = (await ada.messages(conversation))[0]["id"]
            answer = await device.ask("edit", message=first, text="Quite another beginning")
            await device.until_end(answer["reply"])
            assert instructions(model, "Quite another beginning") == "Be kind."
        assert house.bugs == []


async def test_what_is_taken_back_is_in_no_summary(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """The summary that may say it is void at once, thrown away, and made anew from what still stands."""
    async with ScriptedServer() as notetaker:
        notetaker.script(notes(MINERVA), notes("Owls fly."))
        house = noting_house(tmp_path, engines, model, notetaker)
        async with house.pair() as (web, _), http(web.url) as ada, chat(web.url, ada.token) as device:
            conversation = await ada.conversation(settings=SMALL)
            await device.subscribe(conversation)
            said = await say_until_left_out(device, conversation, "secret")
            await until_noted(house, MINERVA)
            await takes_back(ada, (await ada.messages(conversation))[0]["id"])
            told = await say(device, conversation, filler("after"))
            assert instructions(model, filler("after")) == ""
            assert "summarized" not in told
            await until_noted(house, "Owls fly.")
            assert [one["text"] for one in await summaries(house)] == ["Owls fly."]
            assert said[0].strip() not in asked(notetaker)[-1]
            assert MINERVA not in asked(notetaker)[-1]
            await say(device, conversation, filler("at last"))
            assert instructions(model, filler("at last")) == f"{SUMMED_UP}Owls fly."
        assert house.bugs == []
