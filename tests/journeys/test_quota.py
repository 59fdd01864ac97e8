"""What one user may have: replies in flight, tokens a day. Refused before anything is stored, given back in the end."""

from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from server.embedded.engines import EngineURLs
from tests.support.audited import assert_kept
from tests.support.client import Http, chat, http
from tests.support.house import new_house
from tests.support.talking_model import TalkingModel
from tests.support.waiting import wait_until


async def quota(user: Http) -> dict[str, Any]:
    """What `GET /v1/me` says of it."""
    return (await user.get("/v1/me"))["quota"]


async def test_without_limits_nothing_is_said(ada: Http) -> None:
    """`quota` is null."""
    assert await quota(ada) is None


async def test_so_many_replies_are_in_flight(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """The next one is refused by both doors, whatever asks for it; a stop gives a place back; others have theirs."""
    house = new_house(tmp_path, engines, model, CHAT_QUOTA_REPLIES="2")
    async with house.web() as web, http(web.url) as ada, http(web.url) as grace:
        conversations = [await ada.conversation() for _ in range(3)]
        paths = [f"/v1/conversations/{conversation}/messages" for conversation in conversations]
        first = await ada.post(paths[0], {"text": "say 3 tokens", "key": "k"}, status=202)
        await ada.post(paths[1], {"text": "say 3 tokens"}, status=202)
        assert (await quota(ada))["replies"] == {"used": 2, "left": 0, "limit": 2}
        problem = await ada.post(paths[2], {"text": "say 3 tokens"}, status=429)
        assert (problem["code"], problem["retry_after"]) == ("quota_exceeded", 2.0)
        async with chat(web.url, ada.token) as device:
            refused = await device.ask("send", conversation=conversations[2], text="say 3 tokens")
            assert (refused["code"], refused["retry_after"]) == ("quota_exceeded", 2.0)
            said = {"message": first["message"], "text": "say 4 tokens"}
            assert (await device.ask("edit", **said))["code"] == "quota_exceeded"
        assert await ada.messages(conversations[2]) == []
        await ada.post(paths[2], {"text": "No answer, please.", "reply": False}, status=202)
        again = await ada.post(paths[0], {"text": "say 3 tokens", "key": "k"}, status=202)
        assert again["duplicate"]
        theirs = f"/v1/conversations/{await grace.conversation()}/messages"
        await grace.post(theirs, {"text": "say 3 tokens"}, status=202)
        await ada.post(f"/v1/replies/{first['reply']}/cancel", status=202)
        assert (await quota(ada))["replies"] == {"used": 1, "left": 1, "limit": 2}
        await ada.post(paths[2], {"text": "say 3 tokens"}, status=202)
        assert (await quota(ada))["tokens"]["used"] == 0
    await assert_kept(house, young=60)


async def test_so_many_tokens_are_spent_in_a_day(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """A reply in flight holds what it may need; what it has used is spent in the end, whichever end that is."""
    house = new_house(tmp_path, engines, model, CHAT_QUOTA_TOKENS="1000")
    async with house.pair() as (web, _), http(web.url) as ada:
        conversation = await ada.conversation(settings={"max_tokens": 400})
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            spent = 0
            for question in ("say 9 tokens", "say 9 tokens, then break off", "refuse with 401"):
                reply = (await device.send(conversation, question))["reply"]
                await device.until_end(reply)
                used = (await ada.get(f"/v1/replies/{reply}"))["usage"]
                spent += used["input"] + used["output"] if used else 0
                tokens = (await quota(ada))["tokens"]
                assert (tokens["used"], tokens["held"], tokens["left"]) == (spent, 0, 1000 - spent)
            assert spent > 0
            slow = (await device.send(conversation, "say 900 tokens at 50/s"))["reply"]
            await device.until_text(slow)
            assert (await quota(ada))["tokens"]["held"] == 400
            large = {"max_tokens": 1000 - spent}
            soon = await device.ask("send", conversation=conversation, text="Hola", reply=large)
            assert (soon["code"], soon["retry_after"]) == ("quota_exceeded", 2.0)
            await device.ask("cancel", reply=slow)
            await device.until_end(slow)
            larger = {"max_tokens": 1000}
            later = await device.ask("send", conversation=conversation, text="Hola", reply=larger)
            assert later["code"] == "quota_exceeded"
            assert later["retry_after"] > 2
    await assert_kept(house)


async def test_who_may_have_one_reply_may_interrupt_it(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """Where a conversation interrupts, the reply that is stopped makes room for the next."""
    house = new_house(tmp_path, engines, model, CHAT_QUOTA_REPLIES="1")
    async with house.pair() as (web, _), http(web.url) as ada:
        conversation = await ada.conversation(busy="interrupt")
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            first = (await device.send(conversation, "say 900 tokens at 50/s"))["reply"]
            await device.until_text(first)
            second = (await device.send(conversation, "say 5 tokens"))["reply"]
            assert (await device.until_end(first))["type"] == "reply.cancelled"
            assert (await device.until_end(second))["type"] == "reply.completed"
        assert (await quota(ada))["replies"]["used"] == 0
    await assert_kept(house)


async def test_what_was_accepted_without_limits_is_accounted_for(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """A process that knew no limits has ended what was held: the sweeper gives it back, and sums up what was used."""
    house = new_house(tmp_path, engines, model)
    limits = {"CHAT_QUOTA_REPLIES": "1", "CHAT_QUOTA_TOKENS": "100000"}
    async with house.web(**limits) as web, http(web.url) as ada:
        conversation = await ada.conversation()
        async with chat(web.url, ada.token) as device:
            await device.subscribe(conversation)
            reply = (await device.send(conversation, "say 9 tokens"))["reply"]
            async with house.worker():
                await device.until_end(reply)
        assert (await quota(ada))["replies"]["used"] == 1
        async with house.worker(**limits):

            async def released() -> bool:
                told = await quota(ada)
                return told["replies"]["used"] == 0 and told["tokens"]["used"] > 0

            await wait_until(released, within=30)
        done = house.run("audit", "--young", "0", **limits)
        assert done.returncode == 0, done.stdout
        await _damage(house.environment, ada.user)
        done = house.run("audit", "--young", "0", **limits)
        assert (done.returncode, "the quota is exact" in done.stdout) == (1, True)


async def _damage(environment: dict[str, str], user: str) -> None:
    async with AsyncMongoClient[dict[str, Any]](environment["CHAT_MONGODB_URL"]) as client:
        accounts = client[environment["CHAT_MONGODB_DATABASE"]]["allowances"]
        await accounts.update_one({"_id": user}, {"$set": {"held.msg_1": 5}})
