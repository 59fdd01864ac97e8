"""A reply's account, where a worker was lost."""

from datetime import UTC, datetime
from typing import cast

from providers.config import ProviderConfig
from providers.profiles import Profile, profile
from providers.tokens import estimate
from realtime.log.contract import Log
from realtime.log.writer import Publisher
from server.domain.reply import Reply
from server.domain.settings import ReplySettings
from server.workers.generation import Generation

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEPT = "Ein Kauz sitzt im Gebälk und schweigt. " * 40
MODEL = "gpt-5-mini"


def account(known: Profile | None) -> Generation:
    """A second attempt's, which has asked nobody yet. Its writer is held: nothing of it reaches a log."""
    reply = Reply(
        id=f"msg_{1:032x}",
        conversation=f"cnv_{1:032x}",
        message=f"msg_{2:032x}",
        user=f"usr_{1:032x}",
        status="running",
        settings=ReplySettings(),
        attempt=1,
        provider="openai",
        model=MODEL,
        created_at=NOW,
    )
    publisher = Publisher(cast(Log, None))
    writer = publisher.writer("cnv_1", "msg_1", 2, KEPT, held=True)
    return Generation(reply, writer, lambda: NOW, NOW, KEPT, known)


def test_what_a_lost_worker_left_is_counted_and_priced() -> None:
    """As the model counts that wrote it, marked as an estimate; the reply's cost has it."""
    known = profile(ProviderConfig("openai", "openai"), MODEL)
    generation = account(known)
    [span] = generation.provenance()
    assert (span.outcome, span.attempt, span.start, span.end) == ("worker_lost", 1, 0, len(KEPT))
    assert span.usage is not None
    assert not span.usage.exact
    assert span.usage.output == estimate([KEPT], known) != -(-len(KEPT) // 4)
    assert span.cost is not None
    assert span.cost > 0
    assert generation.ended(NOW)["cost"] == span.cost


def test_a_model_that_nobody_knows_any_more_is_counted_by_length() -> None:
    """Its provider was taken out of the configuration meanwhile: a guess, and no price."""
    [span] = account(None).provenance()
    assert span.usage is not None
    assert (span.usage.output, span.cost) == (-(-len(KEPT) // 4), None)
