"""The decisions about the steps of a reply."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from server.domain.events import ReplyCompleted
from server.domain.ids import new_id
from server.domain.message import Status
from server.domain.reply import Reply, Timing, Usage
from server.domain.settings import ReplySettings
from server.sagas.reply.ends import closing
from server.sagas.reply.limits import TooLate, within
from server.sagas.reply.steps import Step, backoff, deadline, note, overdue, resume

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def reply(status: Status = "running", attempt: int = 1) -> Reply:
    """A reply on its way."""
    return Reply(
        id=new_id("msg"),
        conversation=new_id("cnv"),
        message=new_id("msg"),
        user="usr_1",
        status=status,
        settings=ReplySettings(),
        attempt=attempt,
        provider="openai" if attempt else None,
        model="m" if attempt else None,
        created_at=NOW,
    )


def completed(of: Reply, text: str = "Hola") -> ReplyCompleted:
    """Its end."""
    return ReplyCompleted(
        conversation=of.conversation,
        at=NOW,
        reply=of.id,
        attempt=of.attempt,
        text=text,
        length=len(text),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        usage=Usage(input=3, output=1, exact=True),
        timing=Timing(queued_ms=1, first_token_ms=2, total_ms=3),
        cost=0.5,
        finish="stop",
    )


def test_it_begins_at_the_beginning() -> None:
    """Nobody has had it."""
    point = resume(reply("queued", 0), "", "")
    assert (point.step, point.kept) == (Step.ACCEPTED, "")


def test_it_goes_on_with_the_text_that_the_clients_have() -> None:
    """The worker that had it died in the middle."""
    point = resume(reply(), "", "Once upon")
    assert (point.step, point.kept, point.whole) == (Step.GENERATING, "Once upon", None)


def test_what_was_generated_is_not_generated_again() -> None:
    """The worker that had it died before it was saved, and has left the whole."""
    of = reply()
    whole = completed(of)
    point = resume(of, note(whole), "Ho")
    assert (point.step, point.kept, point.whole) == (Step.GENERATED, "Hola", whole)


def test_a_note_of_another_version_is_no_obstacle() -> None:
    """It is as if there were none."""
    assert resume(reply(), '{"what": "is this?"}', "Ho").step == Step.GENERATING
    assert resume(reply(), "no JSON", "Ho").step == Step.GENERATING


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_what_has_ended_is_only_told_again(status: Status) -> None:
    """Whatever was left with the job."""
    of = reply(status)
    assert resume(of, note(completed(of)), "Ho").step == Step.COMPLETED


def test_the_first_attempt_sets_the_deadline() -> None:
    """A later one has no more time than was left."""
    first = reply("queued", 0)
    assert deadline(first, NOW, 60) == NOW + timedelta(seconds=60)
    later = first.model_copy(update={"deadline": NOW + timedelta(seconds=60)})
    assert deadline(later, NOW + timedelta(seconds=50), 60) == NOW + timedelta(seconds=60)
    assert not overdue(first, NOW + timedelta(days=1))
    assert not overdue(later, NOW + timedelta(seconds=60))
    assert overdue(later, NOW + timedelta(seconds=61))
    assert not overdue(later, NOW + timedelta(seconds=61), timedelta(seconds=5))


def test_pauses_grow_and_are_spread() -> None:
    """Twice as long each time, up to a minute, and anywhere below that."""
    longest = [backoff(deliveries, 0.999999) for deliveries in range(1, 20)]
    assert longest == sorted(longest)
    assert 1.0 < longest[0] < 1.2
    assert 60 < longest[-1] < 60.2
    assert backoff(5, 0.0) == 0.1


def test_one_commit_closes_a_reply() -> None:
    """*Generated*, the end, and the account of who asked; without usage there is nothing to account for."""
    of = reply()
    whole = completed(of)
    generated, end, recorded = closing(of, whole)
    assert (generated.type, end, recorded.type) == ("reply.generated", whole, "usage.recorded")
    unused = whole.model_copy(update={"usage": None})
    assert [event.type for event in closing(of, unused)] == ["reply.generated", "reply.completed"]


async def test_a_step_has_its_time() -> None:
    """Over it, it says which step it was; a time limit of somebody else's passes as it is."""
    with pytest.raises(TooLate) as caught:
        async with within(Step.CONTEXT, 0.01):
            await asyncio.Event().wait()
    assert caught.value.step is Step.CONTEXT
    with pytest.raises(TimeoutError):
        async with within(Step.CONTEXT):
            raise TimeoutError
