"""Another answer, another wording, a choice, taking back: whatever dies on the way, or wants the same at once, there is
one result, the same for every client and in storage. (The audit at each house's end checks the tree as well.)
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest

from server.embedded.engines import EngineURLs
from tests.support.chaos import sized
from tests.support.client import Chat, Http, chat, http
from tests.support.following import Follower
from tests.support.house import new_house
from tests.support.instances import instances
from tests.support.talking_model import TalkingModel, spoken
from tests.support.waiting import wait_until
from tests.support.workers import workers

ROUNDS = sized(12, 150)
KILLS = sized(3, 25)
_GOING = ("queued", "running")


@dataclass(frozen=True)
class Begun:
    """A conversation of one question and two answers, the second of which is chosen."""

    conversation: str
    question: str
    first: str
    second: str


async def begin(ada: Http, text: str = "say 4 tokens") -> Begun:
    """Make one, and wait until all is said."""
    conversation = await ada.conversation()
    path = f"/v1/conversations/{conversation}/messages"
    sent = await ada.post(path, {"text": text}, status=202)
    await settled(ada, conversation)
    anew = await ada.post(f"/v1/replies/{sent['reply']}/regenerate", {}, status=202)
    await settled(ada, conversation)
    return Begun(conversation, sent["message"], sent["reply"], anew["reply"])


async def settled(ada: Http, conversation: str) -> list[dict[str, Any]]:
    """Wait until nothing is in the making; the chosen branch."""

    async def rests() -> bool:
        return all(one["status"] not in _GOING for one in await ada.messages(conversation))

    await wait_until(rests, within=60)
    return await ada.messages(conversation)


async def all_see(ada: Http, urls: list[str], conversation: str) -> list[str]:
    """The chosen branch: the same in storage, and in a fresh snapshot of every instance."""
    stored = await settled(ada, conversation)
    said = [(one["id"], one["text"], one["siblings"]) for one in stored]
    for url in urls:
        async with chat(url, ada.token) as fresh:
            follower = Follower(await fresh.subscribe(conversation))
        assert [(one["id"], one["text"], one["siblings"]) for one in follower.path] == said
        assert follower.head == stored[-1]["id"]
    assert (await ada.get(f"/v1/conversations/{conversation}"))["head"] == stored[-1]["id"]
    return [one["id"] for one in stored]


Act = Callable[[Http, Begun], Awaitable[Any]]


async def _regenerate(ada: Http, begun: Begun) -> Any:
    return await ada.post(f"/v1/replies/{begun.first}/regenerate", {"key": "once"}, status=202)


async def _edit(ada: Http, begun: Begun) -> Any:
    said = {"text": "say 5 tokens", "key": "once"}
    return await ada.ask("PATCH", f"/v1/messages/{begun.question}", said, status=202)


async def _choose(ada: Http, begun: Begun) -> Any:
    return await ada.post(f"/v1/messages/{begun.first}/choose")


async def _retract(ada: Http, begun: Begun) -> Any:
    return await ada.ask("DELETE", f"/v1/messages/{begun.question}", status=204)


@pytest.mark.parametrize(
    ("act", "on", "at"),
    [
        (_regenerate, "reply.regenerated", "commit"),
        (_regenerate, "reply.regenerated", "queue"),
        (_edit, "message.edited", "commit"),
        (_edit, "message.edited", "queue"),
        (_choose, "branch.chosen", "commit"),
        (_retract, "message.retracted", "commit"),
    ],
)
async def test_a_web_process_dies_after_the_commit(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel, act: Act, on: str, at: str
) -> None:
    """Nobody heard of it, and it holds: asked for again it is the same, owed replies are made, all see one branch."""
    house = new_house(tmp_path, engines, model)
    async with house.pair() as (other, _), http(other.url) as ada:
        begun = await begin(ada)
        async with house.web("tests.support.dying_web", DYING_ON=on, DYING_AT=at) as dying:
            async with http(dying.url, ada.token) as unlucky:
                with pytest.raises(httpx2.TransportError):
                    await act(unlucky, begun)
            assert await dying.ended() == 9
        again = await act(ada, begun)
        seen = await all_see(ada, [other.url], begun.conversation)
        if act in (_regenerate, _edit):
            assert again["duplicate"]
            assert seen == [again["message"], again["reply"]]
            assert (await ada.get(f"/v1/replies/{again['reply']}"))["status"] == "completed"
        elif act is _choose:
            assert seen == [begun.question, begun.first]
        else:
            assert (await ada.messages(begun.conversation))[0]["retracted"]
        assert house.bugs == []


@pytest.mark.timeout(sized(120, 500))
async def test_workers_are_killed_in_another_answer(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel, chance: Random
) -> None:
    """Each time the new answer is made whole by another worker, and those before it are as they were."""
    house = new_house(tmp_path, engines, model, CHAT_LEASE_SECONDS="2")
    async with house.web() as web, workers(house, 2) as crew, http(web.url) as ada:
        begun = await begin(ada, "say 60 tokens at 100/s")
        answers = [begun.first, begun.second]
        async with chat(web.url, ada.token) as device:
            await device.subscribe(begun.conversation)
            for _ in range(KILLS):
                anew = await device.ask("regenerate", reply=chance.choice(answers))
                assert anew["type"] == "accepted", anew
                answers.append(anew["reply"])
                if chance.random() < 0.7:
                    await device.until_text(anew["reply"])
                await asyncio.sleep(chance.uniform(0, 0.6))
                await crew.kill(chance.randrange(len(crew.processes)))
                await crew.full()
                assert (await device.until_end(anew["reply"]))["type"] == "reply.completed"
                assert device.reader.texts[anew["reply"]] == spoken(60)
        assert await all_see(ada, [web.url], begun.conversation) == [begun.question, answers[-1]]
        for answer in answers:
            message = await ada.get(f"/v1/messages/{answer}")
            assert (message["text"], message["siblings"]) == (spoken(60), answers)
        assert house.bugs == []


class Two:
    """Two devices that follow one conversation at two instances."""

    def __init__(self, devices: list[Chat], followers: list[Follower]) -> None:
        self.devices = devices
        self.followers = followers
        self._taken = [len(device.heard) for device in devices]

    async def until_at(self, head: str) -> None:
        """Read on until both show a branch with this head."""
        for place, device in enumerate(self.devices):
            self._take(place)
            while self.followers[place].head != head:
                await device.read()
                self._take(place)

    def _take(self, place: int) -> None:
        heard = self.devices[place].heard
        for frame in heard[self._taken[place] :]:
            if "offset" in frame and frame["type"] != "subscribed":
                self.followers[place].take(frame)
        self._taken[place] = len(heard)


@pytest.mark.timeout(sized(120, 500))
async def test_two_clients_want_different_things_at_once(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel, chance: Random
) -> None:
    """Both get an answer, and afterwards both show the branch that is stored, whoever was first."""
    house = new_house(tmp_path, engines, model)
    async with instances(house, 2) as fleet, house.worker(), http(fleet.urls[0]) as ada:
        begun = await begin(ada)
        answers, questions = [begun.first, begun.second], [begun.question]
        async with chat(fleet.urls[0], ada.token) as one, chat(fleet.urls[1], ada.token) as other:
            devices = [one, other]
            followers = [Follower(await device.subscribe(begun.conversation)) for device in devices]
            both = Two(devices, followers)

            async def want(device: Chat) -> dict[str, Any]:
                match chance.choice(("choose", "choose", "regenerate", "edit")):
                    case "choose":
                        return await device.ask("choose", message=chance.choice(answers + questions))
                    case "regenerate":
                        return await device.ask("regenerate", reply=chance.choice(answers))
                    case _:
                        said = {"message": chance.choice(questions), "text": "say 3 tokens"}
                        return await device.ask("edit", **said)

            for _ in range(ROUNDS):
                for told in await asyncio.gather(*map(want, devices)):
                    assert told["type"] in ("chosen", "accepted") or told["code"] in _REFUSALS, told
                    if told["type"] == "accepted":
                        answers.append(told["reply"])
                        questions += [told["message"]] if told["message"] not in questions else []
                stored = await settled(ada, begun.conversation)
                await both.until_at(stored[-1]["id"])
                shown = [[message["id"] for message in follower.path] for follower in followers]
                assert shown == [[message["id"] for message in stored]] * 2
        await all_see(ada, fleet.urls, begun.conversation)
        assert house.bugs == []


_REFUSALS = ("not_ended", "too_many_versions", "overloaded")


async def test_the_same_key_at_once_is_one_answer(
    tmp_path: Path, engines: EngineURLs, model: TalkingModel
) -> None:
    """Asked forty times over two instances, `regenerate` and `edit` with a key are done once."""
    house = new_house(tmp_path, engines, model)
    async with instances(house, 2) as fleet, house.worker(), http(fleet.urls[0]) as ada:
        async with http(fleet.urls[1], ada.token) as there:
            begun = await begin(ada)
            for act in (_regenerate, _edit):
                answers = await asyncio.gather(*(act(door, begun) for door in [ada, there] * 20))
                assert [answer["duplicate"] for answer in answers].count(False) == 1
                assert len({(answer["message"], answer["reply"]) for answer in answers}) == 1
                await all_see(ada, fleet.urls, begun.conversation)
        assert house.bugs == []
