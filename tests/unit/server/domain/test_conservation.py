"""The checks over all that is stored: clean data passes, and every kind of damage is found."""

import copy
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.domain.conservation import findings
from server.domain.stored_story import Finding, Story

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SHA = hashlib.sha256("¡Hola!".encode()).hexdigest()


def event(version: int, type_: str, **data: Any) -> dict[str, Any]:
    """A stored event."""
    return {"stream": "cnv_1", "version": version, "type": type_, "data": data}


def kept() -> Story:
    """A conversation in which all is well: one reply completed, one cancelled before it began, one on its way.

    The third message is another version of the first, on a branch of its own, which is chosen; the first branch was
    left at its reply.
    """
    replies: list[dict[str, Any]] = [
        {"_id": "msg_2", "status": "completed", "length": 6, "sha256": SHA},
        {"_id": "msg_4", "status": "cancelled", "length": 0, "sha256": hashlib.sha256(b"").hexdigest()},
        {"_id": "msg_6", "status": "running", "length": None, "sha256": None},
    ]
    for reply in replies:
        reply |= {"created_at": NOW - MINUTE / 2, "usage": None, "attempt": 0}
    replies[0]["usage"] = {"input": 3, "output": 2}
    texts = {1: "Hola", 2: "¡Hola!", 3: "Hola", 4: "", 5: "Hola", 6: ""}
    status = {reply["_id"]: reply["status"] for reply in replies}
    messages = [
        {"_id": f"msg_{seq}", "seq": seq, "text": text, "status": status.get(f"msg_{seq}", "completed")}
        for seq, text in texts.items()
    ]
    parents = {2: 1, 4: 3, 5: 4, 6: 5}
    for message in messages:
        parent = parents.get(message["seq"])
        message |= {"parent": f"msg_{parent}" if parent else None, "chosen": message["seq"] > 2}
        message |= {"siblings": [] if parent else ["msg_1", "msg_3"], "tip": None}
    messages[0]["tip"] = "msg_2"
    types = ["message.created", "reply.requested"] * 3
    events = [event(place, type_, reply=f"msg_{place}") for place, type_ in enumerate(types, 1)]
    events += [
        event(7, "reply.started", reply="msg_2"),
        event(8, "reply.completed", reply="msg_2"),
        event(9, "reply.cancelled", reply="msg_4"),
    ]
    still = {"msg_6": {"seq": 6, "at": NOW, "attempt": 0}}
    conversation = {"_id": "cnv_1", "version": 9, "last_seq": 6, "head": "msg_6", "open": still}
    return Story(conversation, events, messages, replies, [{"_id": "msg_2", "input": 3, "output": 2}])


def found(story: Story, young: timedelta = MINUTE) -> list[Finding]:
    """What is wrong with it."""
    return list(findings(story, NOW, young))


def test_what_was_kept_is_clean() -> None:
    """Nothing is found where nothing is wrong."""
    assert found(kept()) == []


def test_a_reply_has_its_time() -> None:
    """One on its way is a finding once it is no longer young."""
    [finding] = found(kept(), young=timedelta())
    assert (finding.rule, finding.subject) == ("exactly one end", "msg_6")


def _second_end(story: Story) -> None:
    story.events.append(event(10, "reply.failed", reply="msg_2"))
    story.conversation["version"] = 10


def _end_of_one_on_its_way(story: Story) -> None:
    story.events.append(event(10, "reply.completed", reply="msg_6"))
    story.conversation["version"] = 10


def _ended_without_end(story: Story) -> None:
    story.events[8] = event(9, "message.edited")


def _version_missing(story: Story) -> None:
    story.events[6]["version"] = 99


def _place_twice(story: Story) -> None:
    story.messages[4]["seq"] = 4


def _other_text(story: Story) -> None:
    story.messages[1]["text"] = "¡Hola"


def _message_gone(story: Story) -> None:
    story.messages[3]["_id"] = "msg_9"
    story.messages[4]["parent"] = "msg_9"


def _states_differ(story: Story) -> None:
    story.messages[5]["status"] = "completed"


def _reply_gone(story: Story) -> None:
    del story.replies[2]
    story.conversation["open"].clear()


def _not_recorded(story: Story) -> None:
    story.usage.clear()


def _recorded_in_vain(story: Story) -> None:
    story.usage.append({"_id": "msg_4", "input": 0, "output": 0})


def _recorded_of_nobody(story: Story) -> None:
    story.usage.append({"_id": "msg_99", "input": 0, "output": 0})


def _recorded_otherwise(story: Story) -> None:
    story.usage[0]["output"] = 99


def _owed_and_not_open(story: Story) -> None:
    story.conversation["open"] = {}


def _open_after_its_end(story: Story) -> None:
    story.conversation["open"]["msg_2"] = {"seq": 2, "at": NOW, "attempt": 0}


def _open_elsewhere(story: Story) -> None:
    story.conversation["open"]["msg_6"]["seq"] = 4


def _open_with_another_attempt(story: Story) -> None:
    story.replies[2]["attempt"] = 2


def _chosen_beside(story: Story) -> None:
    story.messages[1]["chosen"] = True


def _left_out(story: Story) -> None:
    story.messages[3]["chosen"] = False


def _head_elsewhere(story: Story) -> None:
    story.conversation["head"] = "msg_4"


def _head_of_nobody(story: Story) -> None:
    story.conversation["head"] = "msg_99"


def _no_head(story: Story) -> None:
    story.conversation["head"] = None


def _parent_gone(story: Story) -> None:
    story.messages[3]["parent"] = "msg_99"


def _circle(story: Story) -> None:
    story.messages[3]["parent"] = "msg_6"
    story.messages[4]["parent"] = "msg_4"
    story.messages[3]["chosen"] = story.messages[2]["chosen"] = True


def _unknown_sibling(story: Story) -> None:
    story.messages[0]["siblings"] = []


def _sibling_elsewhere(story: Story) -> None:
    story.messages[5]["siblings"] = ["msg_5", "msg_6"]


def _siblings_in_another_order(story: Story) -> None:
    story.messages[2]["siblings"] = ["msg_3", "msg_1"]


def _no_way_back(story: Story) -> None:
    story.messages[0]["tip"] = "msg_6"


def _tip_of_nobody(story: Story) -> None:
    story.messages[0]["tip"] = "msg_99"


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (_second_end, "exactly one end"),
        (_end_of_one_on_its_way, "exactly one end"),
        (_ended_without_end, "exactly one end"),
        (_version_missing, "versions without holes"),
        (_place_twice, "places without holes"),
        (_other_text, "text as promised"),
        (_message_gone, "one message"),
        (_states_differ, "one state"),
        (_reply_gone, "accepted is kept"),
        (_not_recorded, "one usage record"),
        (_recorded_in_vain, "one usage record"),
        (_recorded_of_nobody, "one usage record"),
        (_recorded_otherwise, "one usage record"),
        (_owed_and_not_open, "open is owed"),
        (_open_after_its_end, "open is owed"),
        (_open_elsewhere, "open is owed"),
        (_open_with_another_attempt, "open is owed"),
        (_chosen_beside, "one branch is chosen"),
        (_left_out, "one branch is chosen"),
        (_head_elsewhere, "one branch is chosen"),
        (_head_of_nobody, "one branch is chosen"),
        (_no_head, "one branch is chosen"),
        (_parent_gone, "one branch is chosen"),
        (_circle, "one branch is chosen"),
        (_unknown_sibling, "siblings share a parent"),
        (_sibling_elsewhere, "siblings share a parent"),
        (_siblings_in_another_order, "siblings share a parent"),
        (_no_way_back, "the way back"),
        (_tip_of_nobody, "the way back"),
    ],
)
def test_every_damage_is_found(damage: Callable[[Story], None], rule: str) -> None:
    """And nothing else is."""
    story = copy.deepcopy(kept())
    damage(story)
    assert {finding.rule for finding in found(story)} == {rule}


def test_what_was_taken_back_has_no_text() -> None:
    """A retracted message keeps its place, and not its text: that is no damage."""
    story = kept()
    story.messages[1] |= {"text": "", "retracted": True}
    assert found(story) == []
