"""What must hold of everything that is stored, whatever died on the way: the promises, as checks. Pure."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from server.domain.kept_branches import branching
from server.domain.message import ENDED
from server.domain.stored_story import Finding, Row, Story

_ENDS = {"reply.completed": "completed", "reply.failed": "failed", "reply.cancelled": "cancelled"}


def findings(story: Story, now: datetime, young: timedelta) -> Iterator[Finding]:
    """What is wrong. A reply that was accepted less than `young` ago may be on its way."""
    yield from _counted(story)
    yield from _owed(story)
    yield from branching(story)
    messages = {message["_id"]: message for message in story.messages}
    requested = Counter(e["data"]["reply"] for e in story.events if e["type"] == "reply.requested")
    ends = [event for event in story.events if event["type"] in _ENDS]
    for reply in story.replies:
        name = reply["_id"]
        if requested.pop(name, 0) != 1:
            yield Finding("accepted once", name, "its request does not stand in the events exactly once")
        its_ends = [event for event in ends if event["data"]["reply"] == name]
        yield from _one_end(reply, its_ends, now, young)
        message = messages.get(name)
        if message is None:
            yield Finding("one message", name, "the reply has no message")
            continue
        if message["status"] != reply["status"]:
            detail = f"the message is {message['status']}, the reply {reply['status']}"
            yield Finding("one state", name, detail)
        if reply["status"] in ENDED:
            yield from _its_text(reply, message)
    for name in requested:
        yield Finding("accepted is kept", name, "it was accepted, and there is no such reply")
    yield from _usage(story)


def _counted(story: Story) -> Iterator[Finding]:
    """Versions and places count 1, 2, 3 … without holes, and the conversation knows the last of them."""
    name = story.conversation["_id"]
    for rule, numbers, last in (
        ("versions", [event["version"] for event in story.events], story.conversation["version"]),
        ("places", [message["seq"] for message in story.messages], story.conversation["last_seq"]),
    ):
        if sorted(numbers) != list(range(1, last + 1)):
            yield Finding(f"{rule} without holes", name, f"{_told(numbers)}, and the last should be {last}")


def _owed(story: Story) -> Iterator[Finding]:
    """The conversation holds open exactly the replies that have not ended, each in its place, with its attempt."""
    places = {message["_id"]: message["seq"] for message in story.messages}
    owed = {
        reply["_id"]: (places.get(reply["_id"]), reply["attempt"])
        for reply in story.replies
        if reply["status"] not in ENDED
    }
    held = {name: (said["seq"], said["attempt"]) for name, said in story.conversation["open"].items()}
    for name in sorted({*owed, *held}):
        if owed.get(name) != held.get(name):
            detail = f"owed as (seq, attempt) {owed.get(name)}, held open as {held.get(name)}"
            yield Finding("open is owed", name, detail)


def _told(numbers: Sequence[int]) -> str:
    twice = [number for number, times in Counter(numbers).items() if times > 1]
    holes = sorted(set(range(1, max(numbers, default=0))) - set(numbers))
    return f"{len(numbers)} in all, twice: {twice[:5]}, missing: {holes[:5]}"


def _one_end(reply: Row, ends: Sequence[Row], now: datetime, young: timedelta) -> Iterator[Finding]:
    name, status = reply["_id"], reply["status"]
    told = [_ENDS[event["type"]] for event in ends]
    if status in ENDED and told != [status]:
        yield Finding("exactly one end", name, f"it is {status}, and its ends are {told}")
    elif status not in ENDED and told:
        yield Finding("exactly one end", name, f"it is {status} after its end: {told}")
    elif status not in ENDED and now - reply["created_at"] > young:
        age = round((now - reply["created_at"]).total_seconds())
        yield Finding("exactly one end", name, f"it has been {status} for {age} s")


def _its_text(reply: Row, message: Row) -> Iterator[Finding]:
    if message.get("retracted"):
        return
    text: str = message["text"]
    if hashlib.sha256(text.encode()).hexdigest() != reply["sha256"]:
        yield Finding("text as promised", reply["_id"], "the stored text has another sha256")
    elif len(text) != reply["length"]:
        yield Finding("text as promised", reply["_id"], f"{len(text)} code points, not {reply['length']}")


def _usage(story: Story) -> Iterator[Finding]:
    """One record for each reply that used something, with the same numbers."""
    records = Counter(record["_id"] for record in story.usage)
    amounts = {record["_id"]: (record["input"], record["output"]) for record in story.usage}
    for reply in story.replies:
        name, used = reply["_id"], reply.get("usage")
        if records.pop(name, 0) != (used is not None):
            yield Finding(
                "one usage record", name, "used, and not recorded" if used else "recorded, not used"
            )
        elif used is not None and amounts[name] != (used["input"], used["output"]):
            yield Finding("one usage record", name, f"{amounts[name]} recorded, and {used} used")
    for name in records:
        yield Finding("one usage record", name, "a record of no reply")
