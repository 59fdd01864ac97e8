"""What is accounted for where a reply ends in place of its worker."""

from datetime import UTC, datetime

from providers.config import ProviderConfig
from providers.contract import estimate_tokens
from providers.profiles import profile
from providers.tokens import estimate
from server.domain.answer import total_cost, total_usage
from server.domain.ids import new_id
from server.domain.reply import Reply
from server.domain.settings import ReplySettings
from server.sagas.reply.accounts import Accounts

TEXT = "Ein Kauz sitzt im Gebälk und schweigt. " * 40
OPENAI = ProviderConfig("openai", "openai")


def reply(model: str) -> Reply:
    """One that has had a worker."""
    return Reply(
        id=new_id("msg"),
        conversation=new_id("cnv"),
        message=new_id("msg"),
        user=new_id("usr"),
        status="running",
        settings=ReplySettings(),
        attempt=3,
        provider="openai",
        model=model,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


async def test_what_is_left_is_counted_and_priced() -> None:
    """As the model counts that wrote it, marked as an estimate; the text has its origin."""
    [span] = spans = await Accounts([OPENAI]).spans(reply("gpt-5-mini"), TEXT)
    assert (span.outcome, span.attempt, span.start, span.end) == ("worker_lost", 3, 0, len(TEXT))
    used = total_usage(spans)
    assert used is not None
    assert used.output == estimate([TEXT], profile(OPENAI, "gpt-5-mini")) != estimate_tokens(TEXT)
    assert not used.exact
    price = total_cost(spans)
    assert price is not None
    assert price > 0


async def test_without_a_price_or_a_provider_there_is_no_price() -> None:
    """An unknown model is counted all the same; a provider that is gone, by length."""
    [unknown] = await Accounts([OPENAI]).spans(reply("owl"), TEXT)
    assert unknown.usage is not None
    assert (unknown.usage.output, unknown.cost) == (estimate([TEXT], profile(OPENAI, "owl")), None)
    [gone] = await Accounts([]).spans(reply("gpt-5-mini"), TEXT)
    assert gone.usage is not None
    assert (gone.usage.output, gone.cost) == (estimate_tokens(TEXT), None)


async def test_nobody_wrote_nothing() -> None:
    """No text, no span."""
    assert await Accounts([OPENAI]).spans(reply("gpt-5-mini"), "") == []
