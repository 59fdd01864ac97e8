"""The steps of a reply, and the decisions about them. Pure.

    accepted ──── message, owed reply and both events are stored; the client has been told
    validated ─── it has not ended, nobody wants it stopped, its time is not over
    context ───── what the model gets to see
    generating ── the attempt is raised in the store and in the log: from here on an older worker can write nothing
    generated ─── the model has said all of it: whoever comes after saves it, and asks nobody again
    saved, recorded, completed ── text, usage and end, in one commit; then the clients are told

Every step can be done again. What is stored of them is what must not be done twice: *accepted*, *generating* (the
attempt) and the end, each in one transaction. *validated* and *context* only read, so they are repeated; *generated*
is left with the job before the commit, and stands in the same commit as the end.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import ValidationError

from server.domain.events import ReplyCompleted
from server.domain.reply import Reply

Code = str
"""Why a reply failed, for clients (docs/protocol.md)."""


class Step(StrEnum):
    """How far a reply has come."""

    ACCEPTED = "accepted"
    VALIDATED = "validated"
    CONTEXT = "context"
    GENERATING = "generating"
    GENERATED = "generated"
    SAVED = "saved"
    RECORDED = "recorded"
    COMPLETED = "completed"


LIMITS: dict[Step, float] = {
    Step.VALIDATED: 15.0,
    Step.CONTEXT: 30.0,
    Step.SAVED: 300.0,
    Step.COMPLETED: 10.0,
}
"""Seconds that a step may take; *generating* may take what is left of the whole."""

DEADLINE: Code = "deadline_exceeded"
GIVEN_UP: Code = "given_up"


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a worker goes on: at `step`, with the text that is there, or with the whole of it."""

    step: Step
    kept: str = ""
    whole: ReplyCompleted | None = None


def resume(reply: Reply, note: str, draft: str) -> Resume:
    """From what is stored, what was left with the job, and the text that the clients have."""
    if reply.ended:
        return Resume(Step.COMPLETED)
    whole = _whole(note)
    if whole is not None:
        return Resume(Step.GENERATED, whole.text, whole)
    if reply.attempt:
        return Resume(Step.GENERATING, draft)
    return Resume(Step.ACCEPTED)


def note(whole: ReplyCompleted) -> str:
    """What is left with the job once the model has said all of it."""
    return whole.model_dump_json()


def deadline(reply: Reply, now: datetime, seconds: float) -> datetime:
    """By when a reply must have ended: the first attempt says so for all."""
    return reply.deadline or now + timedelta(seconds=seconds)


def overdue(reply: Reply, now: datetime, grace: timedelta = timedelta()) -> bool:
    """Whether a reply should have ended: its worker is stuck, or dead, or is saving what it has."""
    return reply.deadline is not None and reply.deadline + grace < now


def backoff(deliveries: int, chance: float) -> float:
    """Seconds until a job that failed is tried again: twice as long each time, and never all at the same moment.

    `chance` is of [0, 1): all of the pause is spread but for a floor ("full jitter", Brooker, 2015).
    """
    longest = min(0.5 * 2.0 ** min(deliveries, 10), 60.0)
    return 0.1 + chance * longest


def _whole(left: str) -> ReplyCompleted | None:
    if not left:
        return None
    try:
        return ReplyCompleted.model_validate_json(left)
    except ValidationError:
        return None  # another version of ours left it; the text of the draft is there all the same
