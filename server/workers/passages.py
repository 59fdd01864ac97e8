"""What a model reads of a question and of its answer, as the worker has them in hand: without asking the store."""

from collections.abc import Mapping

from providers.contract import ToolCall
from server.domain.events import ReplyEnded
from server.domain.reply import Reply
from server.queries.context import Told
from server.queries.windows import Passage, Question

_OF_THE_QUESTION = ("since", "until", "asked_seq", "parent", "text")


def question_of(job: Mapping[str, str]) -> Question | None:
    """What a job's message says, where whoever sent it left that with the job (`server.commands.announce.asked`)."""
    if "text" not in job:
        return None
    said = Passage(
        id=job["message"],
        seq=int(job["asked_seq"]),
        role="user",
        text=job["text"],
        parent=job["parent"] or None,
        chosen=True,
    )
    return Question(int(job["since"]), int(job["until"]), said)


def without_what_was_said(job: Mapping[str, str]) -> dict[str, str]:
    """What may stay of a job that nobody will work on: not the message, which may be taken back."""
    return {name: value for name, value in job.items() if name not in _OF_THE_QUESTION}


def undisturbed(told: Told, reply: str, claimed: int, followed: int) -> bool:
    """Whether nothing but its reply has happened since that was told; the conversation then ends with it.

    `claimed` is the conversation's version with the reply's attempt, `followed` the one that its end came after.
    """
    return told.head == reply and told.version + 1 == claimed == followed


def answer_of(job: Mapping[str, str], reply: Reply, ended: ReplyEnded) -> Passage:
    """What a reply says that has ended."""
    return Passage(
        id=reply.id,
        seq=int(job["seq"]),
        role="assistant",
        text=ended.text,
        parent=reply.message,
        chosen=True,
        calls=tuple(ToolCall(call.id, call.name, call.arguments) for call in ended.tool_calls),
    )
