"""What a reply cost: from what the provider counted to the event, the store and the account of its user."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import toktok
from pymongo import AsyncMongoClient

from server.embedded.engines import EngineURLs
from tests.support.client import Http, chat, http
from tests.support.house import API_KEY, House, new_house
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.talking_model import TalkingModel, spoken
from tests.support.wires import AnthropicWire

MODEL = "gpt-5-mini"
READ, READ_BEFORE, WRITTEN = 0.25e-6, 0.025e-6, 2e-6
"""Its prices for one token, in dollars: what it reads, what it had read before, and what it writes."""
_ACCOUNT = ("usage", "cost", "timing")
COUNTED = "say 9 tokens, count 900 in, 800 cached, 70 out, 60 thought"


@dataclass
class Shop:
    """A house whose models have prices, and somebody in it, whose tokens are counted."""

    house: House
    url: str
    ada: Http
    claude: ScriptedServer

    async def usage(self, reply: str) -> dict[str, Any]:
        """What is stored of it for whoever sums up."""
        async with AsyncMongoClient[dict[str, Any]](self.house.mongodb_url) as client:
            found = await client[self.house.environment["CHAT_MONGODB_DATABASE"]]["usage"].find_one(
                {"_id": reply}
            )
        assert found
        return found

    async def spent(self) -> int:
        """Tokens of today, as `GET /v1/me` says."""
        return (await self.ada.get("/v1/me"))["quota"]["tokens"]["used"]

    async def ask(self, text: str, *, stop: bool = False, **settings: str) -> dict[str, Any]:
        """The end of a reply, which is the same wherever one looks for it."""
        conversation, before = await self.ada.conversation(), await self.spent()
        async with chat(self.url, self.ada.token) as device:
            await device.subscribe(conversation)
            sent = await device.send(conversation, text, reply=settings)
            if stop:
                await device.until_text(sent["reply"])
                await device.ask("cancel", reply=sent["reply"])
            end = await device.until_end(sent["reply"])
        told = await self.ada.get(f"/v1/replies/{sent['reply']}")
        page = await self.ada.get(f"/v1/conversations/{conversation}/messages")
        asked, message = page["items"]
        assert {name: asked[name] for name in _ACCOUNT} == dict.fromkeys(_ACCOUNT)
        assert {name: message[name] for name in _ACCOUNT} == {name: told[name] for name in _ACCOUNT}
        assert {name: end[name] for name in _ACCOUNT} | {"usage": told["usage"] | end["usage"]} == {
            name: told[name] for name in _ACCOUNT
        }
        [span], [stored_span] = end["provenance"], told["provenance"]
        assert told["cost"] == stored_span["cost"] == span["cost"]
        stored = await self.usage(sent["reply"])
        counted = {name: told["usage"][name] for name in ("input", "output", "exact")}
        assert {name: stored[name] for name in ("input", "output", "exact", "cost")} == {
            **counted,
            "cost": told["cost"],
        }
        assert (stored["user"], stored["conversation"]) == (self.ada.user, conversation)
        assert await self.spent() - before == counted["input"] + counted["output"]
        return end | {"usage": told["usage"]}


@pytest.fixture
async def shop(tmp_path: Path, engines: EngineURLs, model: TalkingModel) -> AsyncGenerator[Shop]:
    """Give a house of OpenAI's and Anthropic's protocol, in which tokens are counted against a quota."""
    async with ScriptedServer() as claude:
        house = new_house(
            tmp_path,
            engines,
            model,
            ANTHROPIC_BASE_URL=claude.url,
            ANTHROPIC_API_KEY=API_KEY,
            CHAT_QUOTA_TOKENS="1000000",
        )
        async with house.pair() as (web, _), http(web.url) as ada:
            yield Shop(house, web.url, ada, claude)
        assert house.bugs == []


async def test_a_reply_costs_what_its_provider_counted(shop: Shop) -> None:
    """What was read before is cheaper, what was thought is paid as what was written; all of it as the provider says."""
    end = await shop.ask(COUNTED, provider="openai", model=MODEL)
    assert end["usage"] == {"input": 900, "output": 70, "exact": True, "cached": 800, "reasoning": 60}
    assert end["cost"] == pytest.approx(100 * READ + 800 * READ_BEFORE + 70 * WRITTEN, rel=1e-9)


async def test_what_the_other_protocol_counts_apart_is_paid_for(shop: Shop) -> None:
    """Anthropic's tokens that were read before, and those kept for the next time, have prices of their own."""
    wire = AnthropicWire()
    counted = {"input_tokens": 10, "cache_read_input_tokens": 4000, "cache_creation_input_tokens": 200}
    said = [wire.beginning({**counted, "output_tokens": 1}), wire.text("Yes."), wire.closing(50)]
    shop.claude.script(Answer(said))
    end = await shop.ask("Well?", provider="anthropic", model="claude-haiku-4-5")
    assert end["usage"] == {"input": 4210, "output": 50, "exact": True, "cached": 4000, "reasoning": 0}
    assert end["cost"] == pytest.approx(10 * 1e-6 + 4000 * 0.1e-6 + 200 * 1.25e-6 + 50 * 5e-6, rel=1e-9)


async def test_what_nobody_counted_is_estimated(shop: Shop) -> None:
    """No account, a stop, a break: it is marked, in each place, counted as the model counts, and priced."""
    for said, end_type in (
        ("say 40 tokens, count nothing", "reply.completed"),
        ("say 400 tokens at 50/s", "reply.cancelled"),
        ("say 40 tokens, then break off", "reply.failed"),
    ):
        stop = end_type == "reply.cancelled"
        end = await shop.ask(said, stop=stop, provider="openai", model=MODEL)
        usage, text = end["usage"], spoken(400)[: end["length"]]
        assert end["type"] == end_type
        assert not usage["exact"]
        assert not end["provenance"][0]["usage"]["exact"]
        assert usage["output"] == toktok.batch_count([text], "o200k_base", threads=1)[0] > 0
        assert usage["input"] > 0
        assert end["cost"] == pytest.approx(usage["input"] * READ + usage["output"] * WRITTEN, rel=1e-9)
    unpriced = await shop.ask("say 9 tokens")
    assert (unpriced["cost"], unpriced["usage"]["exact"]) == (None, True)
