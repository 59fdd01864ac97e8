"""What a terminal shows of a conversation: each text once, whatever it missed, and never waiting for what is over."""

from typing import Any

import pytest

from server.cli.chat import Transcript

HELLO, REPLY = "msg_1", "msg_2"


class Screen:
    """A transcript, and what was written of it; notes stand between brackets."""

    def __init__(self) -> None:
        self.seen = ""
        self.transcript = Transcript(self._write, lambda text: self._write(f"[{text}]"))

    def _write(self, text: str) -> None:
        self.seen += text

    def events(self, *frames: dict[str, Any]) -> None:
        """Take events, in the log's order."""
        for frame in frames:
            self.transcript.take({"offset": self.transcript.offset + 1, "reply": REPLY, **frame})

    def snapshot(self, status: str, text: str) -> None:
        """Take a snapshot with one message and its reply."""
        said = {"id": HELLO, "role": "user", "text": "Hola", "status": "completed", "key": "k"}
        reply = {"id": REPLY, "role": "assistant", "text": text, "status": status, "key": None}
        where = {"epoch": "e2", "offset": 7, "recovered": False, "snapshot": {"messages": [said, reply]}}
        self.transcript.take({"type": "subscribed", **where})


def talking() -> Screen:
    """A terminal that has said `Hola`, and the answer is under way."""
    screen = Screen()
    screen.transcript.said("k")
    screen.transcript.expect(REPLY)
    delta = {"type": "reply.delta", "at": 0, "text": "Good "}
    screen.events({"type": "reply.queued", "position": 1}, {"type": "reply.started", "model": "m"}, delta)
    return screen


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_reply_that_ended_meanwhile_is_over(status: str) -> None:
    """A snapshot may be all that one hears of an end: the rest is shown, and it is one's turn again."""
    screen = talking()
    screen.snapshot(status, "Good evening")
    assert screen.transcript.running is None
    assert screen.seen == "Good evening\n\n"


def test_an_answer_that_comes_late_brings_nothing_back() -> None:
    """What was sent again is accepted again, when its reply is over already."""
    screen = Screen()
    screen.transcript.said("k")
    screen.snapshot("completed", "Good evening")
    screen.transcript.expect(REPLY)
    assert screen.transcript.running is None


def test_a_reply_goes_on_behind_a_snapshot() -> None:
    """What is there already is not written again, nor is what comes twice."""
    screen = talking()
    screen.snapshot("running", "Good eve")
    assert screen.transcript.running == REPLY
    screen.events({"type": "reply.delta", "at": 5, "text": "evening"})
    assert screen.seen == "Good evening"
    screen.snapshot("completed", "Good evening")
    assert screen.seen == "Good evening\n\n"


def test_a_shorter_text_begins_again_from_there() -> None:
    """Another worker has taken over, and kept less than was shown."""
    screen = talking()
    screen.snapshot("running", "Go")
    screen.events({"type": "reply.delta", "at": 2, "text": "od bye"})
    assert screen.seen == "Good \n[interrupted; another worker goes on]od bye"
