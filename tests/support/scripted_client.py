"""Frames of the simplest protocol: `ping 3` is a ping with the id 3, `!` is none at all."""

from dataclasses import dataclass

from realtime.log.contract import Position
from realtime.session import Refused


@dataclass(frozen=True)
class Frame:
    """`type id conversation epoch offset`, of which the last may be left out."""

    type: str
    id: str | None = None
    conversation: str = ""
    position: Position | None = None


def decode(raw: str) -> Frame:
    """Errors: `Refused`."""
    match raw.split():
        case [kind, frame_id, topic, epoch, offset]:
            return Frame(kind, frame_id, topic, Position(epoch, int(offset)))
        case [kind, frame_id, topic]:
            return Frame(kind, frame_id, topic)
        case [kind, frame_id]:
            return Frame(kind, frame_id)
        case _:
            raise Refused("bad_frame", "That is no frame.")
